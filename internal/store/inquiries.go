package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
)

var _ inquiry.Board = (*Postgres)(nil)

const (
	// What its server has left behind is taken away by the next who asks.
	deleteOldInquiries = `DELETE FROM inquiries WHERE at < $1`
	insertInquiry      = `INSERT INTO inquiries (id, question, at, leased) VALUES ($1, $2, $3, 0) ON CONFLICT (id) DO NOTHING`
	selectOpen         = `SELECT id, question, answer, at, leased FROM inquiries WHERE answer IS NULL AND leased <= $1 ORDER BY at, id`
	selectInquiry      = `SELECT id, question, answer, at, leased FROM inquiries WHERE id = $1`
	leaseInquiry       = `UPDATE inquiries SET leased = $2 WHERE id = $1 AND answer IS NULL AND leased <= $3`
	answerInquiry      = `UPDATE inquiries SET answer = $2 WHERE id = $1 AND answer IS NULL`
	deleteInquiry      = `DELETE FROM inquiries WHERE id = $1`
	upsertListener     = `INSERT INTO listeners (worker, wish, seen) VALUES ($1, $2, $3)
	ON CONFLICT (worker) DO UPDATE SET wish = excluded.wish, seen = excluded.seen`
	deleteListeners = `DELETE FROM listeners WHERE seen < $1`
	selectListeners = `SELECT wish FROM listeners WHERE seen >= $1`
)

// forgottenAfter is when an inquiry or a listener is certainly nobody's any more.
const forgottenAfter = time.Hour

// PinInquiry puts an inquiry on the board, and tells the other servers.
func (p *Postgres) PinInquiry(ctx context.Context, q inquiry.Pinned) error {
	if _, err := p.do(ctx, deleteOldInquiries, nanos(q.At.Add(-forgottenAfter))); err != nil {
		return err
	}
	_, err := p.do(ctx, insertInquiry, q.ID, string(q.Question), nanos(q.At))
	return err
}

// OpenInquiries returns those without an answer that nobody has leased, oldest first.
func (p *Postgres) OpenInquiries(ctx context.Context, now time.Time) ([]inquiry.Pinned, error) {
	rows, err := p.pool.Query(ctx, selectOpen, nanos(now))
	if err != nil {
		return nil, postgresFault(err)
	}
	open, err := pgx.CollectRows(rows, pinned)
	return open, postgresFault(err)
}

// LoadInquiry returns the inquiry, or fault.NotFound.
func (p *Postgres) LoadInquiry(ctx context.Context, id string) (inquiry.Pinned, error) {
	rows, err := p.pool.Query(ctx, selectInquiry, id)
	if err != nil {
		return inquiry.Pinned{}, postgresFault(err)
	}
	found, err := pgx.CollectRows(rows, pinned)
	if err == nil && len(found) == 0 {
		return inquiry.Pinned{}, fault.Errorf(fault.NotFound, "there is no inquiry %s", id)
	}
	if err != nil {
		return inquiry.Pinned{}, postgresFault(err)
	}
	return found[0], nil
}

func pinned(row pgx.CollectableRow) (p inquiry.Pinned, err error) {
	var question string
	var answer *string
	var at, leased int64
	err = row.Scan(&p.ID, &question, &answer, &at, &leased)
	p.Question, p.At, p.Leased = []byte(question), instant(at), instant(leased)
	if answer != nil {
		p.Answer = []byte(*answer)
	}
	return p, err
}

// LeaseInquiry tells whether the inquiry is now the caller's.
func (p *Postgres) LeaseInquiry(ctx context.Context, id string, now, until time.Time) (bool, error) {
	n, err := p.do(ctx, leaseInquiry, id, nanos(until), nanos(now))
	return n > 0, err
}

// AnswerInquiry keeps the first answer, and tells the other servers.
func (p *Postgres) AnswerInquiry(ctx context.Context, id string, answer []byte) error {
	_, err := p.do(ctx, answerInquiry, id, string(answer))
	return err
}

// UnpinInquiry takes the inquiry from the board if it is there.
func (p *Postgres) UnpinInquiry(ctx context.Context, id string) error {
	_, err := p.do(ctx, deleteInquiry, id)
	return err
}

// NoteListener keeps what the worker wished for last.
func (p *Postgres) NoteListener(ctx context.Context, wish []byte, worker string, seen time.Time) error {
	if _, err := p.do(ctx, deleteListeners, nanos(seen.Add(-forgottenAfter))); err != nil {
		return err
	}
	_, err := p.do(ctx, upsertListener, worker, string(wish), nanos(seen))
	return err
}

// Listeners returns what workers wished for that were seen since the instant.
func (p *Postgres) Listeners(ctx context.Context, since time.Time) ([][]byte, error) {
	rows, err := p.pool.Query(ctx, selectListeners, nanos(since))
	if err != nil {
		return nil, postgresFault(err)
	}
	wishes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]byte, error) {
		var text string
		err := row.Scan(&text)
		return []byte(text), err
	})
	return wishes, postgresFault(err)
}

// do runs one statement by itself, and rings.
func (p *Postgres) do(ctx context.Context, query string, args ...any) (changed int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	for losses := 0; ; losses++ {
		tag, err := p.pool.Exec(ctx, query, args...)
		if err == nil {
			p.bell.ring(nil)
			return tag.RowsAffected(), nil
		}
		if !isLost(err) || losses == mostLosses || ctx.Err() != nil {
			return 0, postgresFault(err)
		}
		p.pool.Reset()
	}
}
