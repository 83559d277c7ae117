package store

import (
	"context"
	"errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

// session is how the statements of one transaction reach their database.
type session interface {
	// exec runs a statement and returns how many rows it changed.
	exec(query string, args ...any) (int64, error)
	// send is exec for a statement whose outcome matters only once the transaction
	// ends: it may be kept back until the next query or the commit. done turns its
	// outcome into what the transaction fails with.
	send(done func(changed int64, err error) error, query string, args ...any) error
	// doubt says that done may make an error of what the database takes for a success: the
	// commit then waits for the answer.
	doubt()
	query(query string, args ...any) (rows, error)
	// turns waits until nobody else changes what belongs to the services. Without
	// services it waits for that of the release.
	turns(release string, services []string) error
	// took notes that a query has taken the turn of the release's service.
	took(release string)
	// fault turns an error of the database into one of the project's, and tells
	// whether the transaction cannot go on after it.
	fault(err error) (told error, spoilt bool)
	dialect() dialect
}

// dialect is where the SQL of the databases differs.
type dialect int

const (
	dialectSQLite dialect = iota
	dialectPostgres
)

// rows is what a query gives.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Tx is one transaction. It is valid only inside the function that it was given
// to, and not for several goroutines. Its methods stand beside their tables.
type Tx struct {
	conn     session
	plans    *planCache
	ctx      context.Context
	writable bool
	over     bool
	// loud says that something was written that others on the database want to hear of.
	loud bool
	// ahead are runs that were read with their tasks, as long as they stand as they did.
	ahead map[string]runRow
	kept  keptTasks
	// lines counts those that were added to the ledger.
	lines int64
	// failed is the first trouble of the store itself. It fails the transaction even
	// where the function that met it went on, and nothing more is done in it: SQLite
	// may have rolled it back already, and would commit each further write by itself.
	failed error
}

// outcome is how the function ended that the transaction was given to. What it left to be
// written is on its way then.
func (tx *Tx) outcome(err error) error {
	if err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	return tx.writeTasks()
}

// exec runs a statement that changes rows, and returns how many.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if err := tx.mayWrite(); err != nil {
		return 0, err
	}
	tx.loud = true
	n, err := tx.conn.exec(query, args...)
	return n, tx.fail(err)
}

// write runs a statement of which nothing is read, perhaps together with later ones.
func (tx *Tx) write(query string, args ...any) error {
	return tx.writeOr(func(_ int64, err error) error { return err }, query, args...)
}

// writeOr is write for a statement whose outcome people should read in other words.
// Where the database is asked later, what done returns fails the whole transaction.
func (tx *Tx) writeOr(done func(changed int64, err error) error, query string, args ...any) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	tx.loud = true
	return tx.conn.send(func(changed int64, err error) error { return done(changed, tx.fail(err)) }, query, args...)
}

// writeIf is writeOr for a statement that may find no row to change, of which done makes an
// error. On PostgreSQL that costs a round trip, unless something is read after it.
func (tx *Tx) writeIf(done func(changed int64, err error) error, query string, args ...any) error {
	if err := tx.writeOr(done, query, args...); err != nil {
		return err
	}
	tx.conn.doubt()
	return nil
}

// writeQuietly is write for what nobody waits for.
func (tx *Tx) writeQuietly(query string, args ...any) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	return tx.conn.send(func(_ int64, err error) error { return tx.fail(err) }, query, args...)
}

// Turn waits until no other transaction changes what belongs to the services, and
// keeps all others from it until this one ends. In an update, LoadRun and LoadTask
// take the turn of the release's service by themselves; who reads before that, or
// needs several services, takes them first and in one call.
func (tx *Tx) Turn(services ...string) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	return tx.fail(tx.conn.turns("", services))
}

// turnOf is Turn for the service of the release. A view needs none.
func (tx *Tx) turnOf(release string) error {
	if !tx.writable {
		return nil
	}
	return tx.fail(tx.conn.turns(release, nil))
}

// row reads one row into dest and tells whether there was one.
func (tx *Tx) row(dest []any, query string, args ...any) (bool, error) {
	found := false
	err := tx.rows(func(r rows) error {
		found = true
		return r.Scan(dest...)
	}, query, args...)
	return found, err
}

// rows calls scan for each row.
func (tx *Tx) rows(scan func(rows) error, query string, args ...any) error {
	if err := tx.usable(); err != nil {
		return err
	}
	found, err := tx.conn.query(query, args...)
	if err != nil {
		return tx.fail(err)
	}
	for found.Next() {
		if err := scan(found); err != nil {
			return tx.fail(errors.Join(err, found.Close()))
		}
	}
	return tx.fail(errors.Join(found.Err(), found.Close()))
}

// list reads all rows of one column of text.
func (tx *Tx) list(query string, args ...any) ([]string, error) {
	var all []string
	err := tx.rows(func(r rows) error {
		var s string
		err := r.Scan(&s)
		all = append(all, s)
		return err
	}, query, args...)
	return all, err
}

// oneOf is a condition that holds for the values, which are its argument $1.
func (tx *Tx) oneOf(values []string) (condition string, list any, err error) {
	if tx.conn.dialect() == dialectPostgres {
		return "= ANY($1)", values, nil
	}
	list, err = jsonText(values)
	return "IN (SELECT value FROM json_each($1))", list, err
}

func (tx *Tx) mayWrite() error {
	if !tx.writable {
		return fault.Errorf(fault.Internal, "a view tried to change the database")
	}
	return tx.usable()
}

func (tx *Tx) usable() error {
	if tx.over {
		return fault.Errorf(fault.Internal, "a transaction was used after its end")
	}
	if tx.failed != nil {
		return tx.failed
	}
	if err := tx.ctx.Err(); err != nil {
		return cancelled(err)
	}
	return nil
}

func (tx *Tx) fail(err error) error {
	if err == nil {
		return nil
	}
	err, spoilt := tx.conn.fault(err)
	if tx.failed == nil && spoilt {
		tx.failed = err
	}
	return err
}
