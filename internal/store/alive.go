package store

import "time"

const (
	upsertAlive = `INSERT INTO alive (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at`
	selectAlive = `SELECT at FROM alive WHERE one = 1`
)

// NoteAlive keeps the instant in the place of the one before.
func (tx *Tx) NoteAlive(at time.Time) error {
	return tx.writeQuietly(upsertAlive, nanos(at))
}

// LastAlive returns the instant that was noted last, or zero.
func (tx *Tx) LastAlive() (at time.Time, err error) {
	_, err = tx.row([]any{timeInto{&at}}, selectAlive)
	return at, err
}
