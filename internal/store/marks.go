package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// A commit whose answer is lost may have been made or not. Each connection has a row in
// marks, its slot, which nobody else writes; every update puts a new mark there, and
// whoever lost the answer looks whether that mark is in the slot. PostgreSQL's own
// pg_xact_status would not do: after a crash the ID of a transaction that was lost is
// given to another one, whose commit is then taken for the lost one's.
const (
	upsertMark = `INSERT INTO marks (slot, mark, at) VALUES ($1, $2, now())
	ON CONFLICT (slot) DO UPDATE SET mark = excluded.mark, at = excluded.at`
	// The lock is free once the transaction has ended, also one that goes on in a
	// PostgreSQL which has not noticed yet that its client is gone.
	selectMark     = `SELECT mark FROM marks WHERE slot = $1 FOR UPDATE`
	deleteOldMarks = `DELETE FROM marks WHERE at < now() - interval '1 day'`
)

const slotKey = "fairway slot"

// giveSlot is called for each new connection.
func giveSlot(_ context.Context, conn *pgx.Conn) error {
	conn.PgConn().CustomData()[slotKey] = rand.Text()
	return nil
}

func slotOf(conn *pgx.Conn) string {
	slot, _ := conn.PgConn().CustomData()[slotKey].(string)
	return slot
}

// settleLimit is how long a server tries to find out how a commit ended. By then the
// database has ended every transaction whose client is gone.
var settleLimit = time.Minute

// settle finds out how a commit ended whose answer was lost. It returns nil for one that
// was made, and the loss itself for one that was not and may be tried again.
func (p *Postgres) settle(ctx context.Context, slot, mark string, lost error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	for wait := 10 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, time.Second) {
		var there string
		err := p.pool.QueryRow(ctx, selectMark, slot).Scan(&there)
		switch {
		case err == nil && there == mark:
			return nil
		case err == nil, errors.Is(err, pgx.ErrNoRows):
			return errNotMade{lost}
		}
		p.pool.Reset()
		pause(ctx, wait)
	}
	return errUnknown(lost)
}

// errNotMade is a commit of which it is certain that it was not made.
type errNotMade struct{ error }

func (e errNotMade) Unwrap() error { return e.error }
