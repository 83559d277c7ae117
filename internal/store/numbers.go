package store

import "math"

// numbersPerTransaction is how many numbers of lines belong to one transaction's ID
// in PostgreSQL: the number of a line is (before + ID) · numbersPerTransaction + its
// place among the lines of the transaction. With 2¹² of them there is room for 2⁴¹
// transactions below 2⁵³, up to which every reader of JSON counts exactly.
const numbersPerTransaction = 4096

// Of two transactions the later one may end first, so numbers appear out of their
// order. No transaction below xmin runs any more: what is below its numbers is
// complete, and a reader who remembers the last of them misses nothing.
const (
	insertNumberedEvent = `INSERT INTO events (release, seq, at, kind, actor, environment, stage, text, data, previous, hash, number)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (before + pg_current_xact_id()::text::bigint) * 4096 + $12 FROM numbering`
	selectSettledNumber = `SELECT (before + pg_snapshot_xmin(pg_current_snapshot())::text::bigint) * 4096 FROM numbering`
	// A copy of a database in another cluster begins with smaller IDs.
	raiseNumbering = `UPDATE numbering SET before = taken.last + 1 - pg_current_xact_id()::text::bigint
	FROM (SELECT coalesce(max(number), 0) / 4096 AS last FROM events) AS taken
	WHERE taken.last >= before + pg_current_xact_id()::text::bigint`
)

// settledNumber is the number below which no line will appear any more.
func (tx *Tx) settledNumber() (settled int64, err error) {
	if tx.conn.dialect() == dialectSQLite {
		return math.MaxInt64, nil
	}
	_, err = tx.row([]any{&settled}, selectSettledNumber)
	return settled, err
}
