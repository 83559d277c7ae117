package store

import (
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
)

const upsertChore = `INSERT INTO chores (name, until) VALUES ($1, $2)
	ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE chores.until <= $3`

// Claim tells whether the work of that name is the caller's until the instant: of all
// who ask before it, one.
func (tx *Tx) Claim(work string, now, until time.Time) (bool, error) {
	n, err := tx.exec(upsertChore, work, nanos(until), nanos(now))
	return n > 0, err
}

const (
	updateChore = `UPDATE chores SET until = $1, done = $2, found = $3 WHERE name = $4`
	selectChore = `SELECT until, done, found FROM chores WHERE name = $1`
)

// ChoreDone notes that the caller has done the work, and what it found; it is due again at until.
func (tx *Tx) ChoreDone(work string, at, until time.Time, found int64) error {
	_, err := tx.exec(updateChore, nanos(until), nanos(at), found, work)
	return err
}

// Chore is how it stands about the work; zero where nobody has ever claimed it.
func (tx *Tx) Chore(work string) (c drive.Chore, err error) {
	_, err = tx.row([]any{timeInto{&c.Until}, timeInto{&c.Done}, &c.Found}, selectChore, work)
	return c, err
}

const moveChores = `UPDATE chores SET
	until = CASE WHEN until > $1 THEN until - $2 ELSE until END,
	done = CASE WHEN done > $1 THEN done - $2 ELSE done END`

// MoveChores moves the instants after now back by so much.
func (tx *Tx) MoveChores(now time.Time, by time.Duration) error {
	_, err := tx.exec(moveChores, nanos(now), int64(by))
	return err
}
