package main

// cost is what something takes. Its fields are counts, bytes and seconds of one processor.
type cost struct {
	// Updates are transactions that write, Views those that only read.
	Updates, Views float64
	// Statements are all that the database carried out, BEGIN and COMMIT among them.
	Statements float64
	// Rows and Bytes are what stays in the database, Bytes with indexes and without what
	// VACUUM gives back.
	Rows, Bytes float64
	// Log is what the database wrote to its log (WAL).
	Log float64
	// Server and Database are seconds of a processor in Fairway's server and in PostgreSQL.
	Server, Database float64
	// WorkerWire are bytes between workers and the server, DatabaseWire between server and
	// database, both ways.
	WorkerWire, DatabaseWire float64
}

// Transactions are all of them.
func (c cost) transactions() float64 { return c.Updates + c.Views }

func (c *cost) fields() []*float64 {
	return []*float64{&c.Updates, &c.Views, &c.Statements, &c.Rows, &c.Bytes, &c.Log, &c.Server, &c.Database, &c.WorkerWire, &c.DatabaseWire}
}

// plus is c and n times d.
func (c cost) plus(n float64, d cost) cost {
	from := d.fields()
	for i, f := range c.fields() {
		*f += n * *from[i]
	}
	return c
}

// per is the part of one of n.
func (c cost) per(n float64) cost {
	for _, f := range c.fields() {
		*f /= n
	}
	return c
}

// least0 takes away what is below zero, where noise was greater than what was measured.
func (c cost) least0() cost {
	for _, f := range c.fields() {
		*f = max(*f, 0)
	}
	return c
}
