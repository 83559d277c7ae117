package store

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/release"
)

// Postgres is the store that several servers share: a PostgreSQL database of version
// 14 or later.
//
//	Update ──► a connection ──► the service's turn, then the function ──► commit
//	                                └── again after a conflict or a lost connection
//	View   ──► a connection ──► one snapshot
//
// ADR 11 says why it is as it is. Its methods may be called from many goroutines.
type Postgres struct {
	pool  *pgxpool.Pool
	plans *planCache
	// services are those of the releases that were changed last.
	services *lru.Cache[string, []string]
	bell     *bell
	closed   atomic.Bool
}

var _ session = (*pgSession)(nil)

// Update runs f on the caller's goroutine in one transaction. When it returns nil, what
// f wrote is on the database's disk. When f fails or panics, nothing of it is kept. A
// cancelled context is respected until f starts. After a conflict with another
// transaction, or where the connection was lost, f runs again, so it must have no
// other effects. It returns fault.Unavailable where the database cannot be reached.
func (p *Postgres) Update(ctx context.Context, f func(*Tx) error) error {
	return p.update(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", f)
}

// How often an update is tried. Each try after a conflict has seen others succeed.
const (
	mostConflicts = 50
	mostLosses    = 3
)

func (p *Postgres) update(ctx context.Context, begin string, f func(*Tx) error) error {
	conflicts, losses := 0, 0
	wants := &wanted{}
	for {
		err := p.try(ctx, begin, f, wants)
		switch {
		case err == nil:
			return nil
		case isConflict(err) && conflicts < mostConflicts:
			conflicts++
			pause(ctx, rand.N(time.Duration(conflicts)*time.Millisecond))
		case isAgain(err) && losses < mostLosses:
			losses++
			p.pool.Reset() // what broke one connection broke the idle ones too
			pause(ctx, rand.N(time.Duration(losses)*20*time.Millisecond))
		default:
			return plain(postgresFault(err))
		}
		if ctx.Err() != nil {
			return plain(postgresFault(err))
		}
	}
}

// updateLimit is how long one transaction may take, waiting for its turn included. The
// database ends what takes longer, so that a server that hangs holds nobody up.
var updateLimit = 30 * time.Second

// try runs f once, with what earlier tries have asked for.
func (p *Postgres) try(ctx context.Context, begin string, f func(*Tx) error, wants *wanted) (err error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), updateLimit)
	defer cancel()
	s := p.newSession(limited, conn.Conn())
	s.begin(begin, true)
	s.takeAll(wants)
	tx := Tx{conn: s, plans: p.plans, ctx: limited, writable: true}
	ended := false
	defer func() {
		tx.over = true
		if !ended { // f failed, panicked, or ended its goroutine
			s.rollback()
		}
	}()
	if err := tx.outcome(f(&tx)); err != nil {
		return err
	}
	err = s.commit()
	ended = err == nil
	if isBroken(err) {
		slot := slotOf(conn.Conn())
		s.rollback()
		conn.Release() // the look-up needs one of the pool's
		ended = true
		err = p.settle(ctx, slot, s.mark, err)
	}
	if err == nil && tx.loud {
		p.bell.ring(slices.Collect(maps.Values(tx.kept.free)))
	}
	return err
}

// View runs f on a snapshot that contains every update acknowledged before. Where a
// connection turns out to be broken before it has answered anything, f runs again.
func (p *Postgres) View(ctx context.Context, f func(*Tx) error) error {
	for losses := 0; ; losses++ {
		answered, err := p.look(ctx, f)
		if err == nil || !isLost(err) {
			return err
		}
		p.pool.Reset()
		if answered || losses == mostLosses || ctx.Err() != nil {
			return err
		}
	}
}

// look runs f once, and tells whether the database has answered anything.
func (p *Postgres) look(ctx context.Context, f func(*Tx) error) (answered bool, err error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	limited, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	s := p.newSession(limited, conn.Conn())
	s.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false)
	tx := Tx{conn: s, plans: p.plans, ctx: limited}
	defer func() {
		tx.over = true
		s.rollback()
	}()
	err = tx.outcome(f(&tx))
	return s.answered, err
}

func (p *Postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, cancelled(err)
	}
	limited, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	conn, err := p.pool.Acquire(limited)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, cancelled(ctx.Err())
	case p.closed.Load():
		return nil, errClosed
	}
	return nil, postgresFault(err)
}

// Close waits for the transactions in progress, and lets go of the database.
// What comes later gets fault.Unavailable. Closing again does nothing more.
func (p *Postgres) Close() error {
	p.closed.Store(true)
	p.bell.close()
	p.pool.Close()
	return nil
}

// Ahead is how far the database's clock is ahead of this machine's, to within half of
// the time that asking takes.
func (p *Postgres) Ahead(ctx context.Context) (ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	conn, err := p.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	quickest := time.Duration(math.MaxInt64)
	for range 5 {
		var there time.Time
		asked := time.Now()
		if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&there); err != nil {
			return 0, postgresFault(err)
		}
		if took := time.Since(asked); took < quickest {
			quickest, ahead = took, there.Sub(asked.Add(took/2))
		}
	}
	return ahead, nil
}

// Drive returns the store as package drive needs it.
func (p *Postgres) Drive() drive.Store { return driveStore{p} }

// Release returns the store as package release needs it.
func (p *Postgres) Release() release.Store { return releaseStore{p} }

// Auth returns the store as package auth needs it.
func (p *Postgres) Auth() auth.Store { return authStore{identities{p}} }

// identities belong to no service, so no turn keeps their updates apart.
type identities struct{ *Postgres }

func (i identities) Update(ctx context.Context, f func(*Tx) error) error {
	return i.update(ctx, "BEGIN ISOLATION LEVEL SERIALIZABLE", f)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// pgxRows are rows that come at the end of a batch.
type pgxRows struct {
	pgx.Rows
	batch pgx.BatchResults
}

// Close tells what went wrong with the batch, unless Err has.
func (r pgxRows) Close() error {
	r.Rows.Close()
	if err := r.batch.Close(); r.Rows.Err() == nil {
		return err
	}
	return nil
}
