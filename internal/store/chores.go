package store

import "time"

const upsertChore = `INSERT INTO chores (name, until) VALUES ($1, $2)
	ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE chores.until <= $3`

// Claim tells whether the work of that name is the caller's until the instant: of all
// who ask before it, one.
func (tx *Tx) Claim(work string, now, until time.Time) (bool, error) {
	n, err := tx.exec(upsertChore, work, nanos(until), nanos(now))
	return n > 0, err
}
