package store

import (
	"context"
	"crypto/rand"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
)

// pgSession is one transaction of PostgreSQL. Statements that only write wait in it
// until something is read, or until the commit, and then travel in one round trip. So
// does BEGIN, with the turn.
type pgSession struct {
	ctx  context.Context
	conn *pgx.Conn

	batch *pgx.Batch
	dones []func(pgx.BatchResults) error // one for each statement of the batch
	sent  bool                           // something of the transaction has reached the database
	// answered says that the database has, to all that was sent at once.
	answered bool
	// doubtful says that a statement waits whose answer may be no: to the database that is no
	// error, so a commit behind it would be made.
	doubtful bool
	// mark is what the connection's row in marks has once this transaction is
	// committed; empty in a view.
	mark string
	// held are the services and "release ID"s whose turn is taken, and what else is locked.
	held map[string]bool
	// last is the greatest digest that was waited for; decided says that the freezes are locked.
	last    string
	decided bool
	// wants is what this try of the update and those before it have asked for.
	wants *wanted
	// services are those of releases, as far as the server knows them.
	services *lru.Cache[string, []string]
}

func (p *Postgres) newSession(ctx context.Context, conn *pgx.Conn) *pgSession {
	return &pgSession{ctx: ctx, conn: conn, batch: &pgx.Batch{}, held: map[string]bool{}, wants: &wanted{}, services: p.services}
}

// begin is the first statement. A transaction that changes something leaves its mark with
// it, so that the lock on the mark is there before anything else of it.
func (s *pgSession) begin(statement string, writes bool) {
	s.queue(ignore, statement)
	if writes {
		s.mark = rand.Text()
		s.queue(ignore, upsertMark, slotOf(s.conn), s.mark)
	}
}

func ignore(r pgx.BatchResults) error {
	_, err := r.Exec()
	return err
}

func (s *pgSession) queue(done func(pgx.BatchResults) error, query string, args ...any) {
	s.batch.Queue(query, args...)
	s.dones = append(s.dones, done)
}

// ask is queue for a statement whose answer may be no, which done makes an error.
func (s *pgSession) ask(done func(pgx.BatchResults) error, query string, args ...any) {
	s.queue(done, query, args...)
	s.doubt()
}

func (s *pgSession) doubt() { s.doubtful = true }

func (s *pgSession) send(done func(int64, error) error, query string, args ...any) error {
	s.queue(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		return done(tag.RowsAffected(), err)
	}, query, args...)
	return nil
}

func (s *pgSession) exec(query string, args ...any) (changed int64, err error) {
	s.queue(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		changed = tag.RowsAffected()
		return err
	}, query, args...)
	return changed, s.flush()
}

// flush sends what waits, and returns the first thing that went wrong.
func (s *pgSession) flush() error {
	if len(s.dones) == 0 {
		return nil
	}
	results, err := s.travel()
	if err != nil {
		return err
	}
	return results.Close()
}

// travel sends the batch and hears of all its statements but what came after the last
// done. The caller closes the results.
func (s *pgSession) travel() (pgx.BatchResults, error) {
	results := s.conn.SendBatch(s.ctx, s.batch)
	dones := s.dones
	s.batch, s.dones, s.sent, s.doubtful = &pgx.Batch{}, nil, true, false
	for _, done := range dones {
		if err := done(results); err != nil {
			_ = results.Close() // says the same
			return nil, err
		}
	}
	s.answered = s.answered || len(dones) > 0
	return results, nil
}

func (s *pgSession) query(query string, args ...any) (rows, error) {
	s.batch.Queue(query, args...)
	results, err := s.travel()
	if err != nil {
		return nil, err
	}
	found, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return pgxRows{found, results}, nil
}

// commit ends the transaction, together with what is still to be written. Before that
// its mark is there, by which a lost answer is looked up, and nobody has said no.
func (s *pgSession) commit() error {
	if !s.answered || s.doubtful {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.queue(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		if err == nil && tag.String() != "COMMIT" {
			err = pgx.ErrTxCommitRollback
		}
		return postgresFault(err)
	}, "COMMIT")
	return s.flush()
}

// rollback leaves nothing. A connection on which even that fails is closed.
func (s *pgSession) rollback() {
	if !s.sent || s.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), updateLimit)
	defer cancel()
	if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = s.conn.Close(ctx)
	}
}

// fault tells that every error ends the transaction: PostgreSQL refuses all that comes
// after one.
func (s *pgSession) fault(err error) (told error, spoilt bool) { return postgresFault(err), true }

func (s *pgSession) dialect() dialect { return dialectPostgres }
