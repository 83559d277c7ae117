package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairwayhq/fairway/internal/drive"
)

// bell tells the other servers on the database that something was committed, and
// hears when they have. A ring may be lost; nobody may rely on it.
type bell struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	self string // tells the own rings from those of others

	mu   sync.Mutex
	free places // where tasks have become free, which the next ring tells
	told places // the same, as other servers told

	wanted chan struct{}   // a ring is due
	heard  chan struct{}   // another server has rung
	ctx    context.Context // ends with the store
	stop   context.CancelFunc
	all    sync.WaitGroup
}

const (
	channel = "fairway"
	// ringInterval is the least time between two rings; those wanted meanwhile are one.
	ringInterval = 20 * time.Millisecond
	// reconnectMost is the longest pause before the bell is connected again.
	reconnectMost = 2 * time.Second
	// serversLock is held, shared, by each server for as long as it is on the database.
	serversLock = 7_165_011_482
)

func newBell(pool *pgxpool.Pool, log *slog.Logger) *bell {
	ctx, stop := context.WithCancel(context.Background())
	b := &bell{
		pool: pool, log: log, self: rand.Text(), ctx: ctx, stop: stop,
		wanted: make(chan struct{}, 1), heard: make(chan struct{}, 1),
	}
	b.all.Go(func() { b.ringWhenWanted(ctx) })
	return b
}

// ring tells the others of a commit, and where tasks have become free by it.
func (b *bell) ring(free []drive.Place) {
	b.mu.Lock()
	b.free = b.free.and(free)
	b.mu.Unlock()
	signal(b.wanted)
}

// message is what a ring carries.
type message struct {
	By   string
	Free places `json:",omitempty"`
}

// take takes what has gathered.
func (b *bell) take(of *places) places {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := *of
	*of = nil
	return all
}

// places are few: of many, anywhere is as good.
type places []drive.Place

const (
	mostPlaces = 32
	// mostPayload is less than the 8,000 bytes that PostgreSQL carries.
	mostPayload = 7000
)

func (p places) and(more []drive.Place) places {
	for _, one := range more {
		if !slices.Contains(p, one) {
			p = append(p, one)
		}
	}
	if len(p) > mostPlaces {
		return places{drive.Anywhere}
	}
	return p
}

// signal is heard once, however often it is given before.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (b *bell) close() {
	b.stop()
	b.all.Wait()
}

func (b *bell) ringWhenWanted(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wanted:
		}
		payload, err := json.Marshal(message{By: b.self, Free: b.take(&b.free)})
		if err != nil || len(payload) > mostPayload {
			payload, _ = json.Marshal(message{By: b.self, Free: places{drive.Anywhere}})
		}
		// Nobody waits for the disk to have kept a ring.
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		batch.Queue("SET LOCAL synchronous_commit = off")
		batch.Queue("SELECT pg_notify($1, $2)", channel, string(payload))
		batch.Queue("COMMIT")
		if err := b.pool.SendBatch(ctx, batch).Close(); err != nil && ctx.Err() == nil {
			b.log.Debug("The other servers were not told of a change; they look again within a second.", "error", err)
		}
		pause(ctx, ringInterval)
	}
}

// Rung gets a signal when another server has committed something.
func (p *Postgres) Rung() <-chan struct{} { return p.bell.heard }

// Freed takes the places in which other servers have told that tasks became free.
func (p *Postgres) Freed() []drive.Place { return p.bell.take(&p.bell.told) }

// hear takes in a ring. One of an older server does not tell where tasks are free.
func (b *bell) hear(payload string) {
	m := message{}
	if json.Unmarshal([]byte(payload), &m) != nil {
		m.Free = places{drive.Anywhere}
	}
	if m.By == b.self {
		return
	}
	b.mu.Lock()
	b.told = b.told.and(m.Free)
	b.mu.Unlock()
	signal(b.heard)
}

// Join makes the server one of those on the database until ctx ends, and begins to hear
// the others. Where no other one is there, alone is called first, and those that join
// meanwhile wait for it: it makes up for the time in which there was none. It is called
// again whenever the connection was lost and no other server was back sooner. Join
// returns when the server has joined.
func (p *Postgres) Join(ctx context.Context, alone func(context.Context) error) error {
	conn, err := p.join(ctx, alone)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(ctx)
	stop := context.AfterFunc(p.bell.ctx, leave) // closing the store ends it too
	p.bell.all.Go(func() {
		defer stop()
		defer leave()
		p.listen(ctx, conn, alone)
	})
	return nil
}

func (p *Postgres) join(ctx context.Context, alone func(context.Context) error) (*pgx.Conn, error) {
	config := p.pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0" // another server may take its time
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, postgresFault(err)
	}
	if err := enter(ctx, conn, alone); err != nil {
		return nil, errors.Join(postgresFault(err), conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

func enter(ctx context.Context, conn *pgx.Conn, alone func(context.Context) error) error {
	var first bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", serversLock).Scan(&first); err != nil {
		return err
	}
	if first {
		if err := alone(ctx); err != nil {
			return err
		}
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1)", serversLock); err != nil {
		return err
	}
	if first {
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", serversLock); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, "LISTEN "+channel)
	return err
}

// listen hears the others, and joins again whenever the connection is lost.
func (p *Postgres) listen(ctx context.Context, conn *pgx.Conn, alone func(context.Context) error) {
	for wait := 50 * time.Millisecond; ; {
		if conn != nil {
			p.hear(ctx, conn)
			wait = 50 * time.Millisecond
		}
		if ctx.Err() != nil {
			return
		}
		pause(ctx, wait)
		wait = min(2*wait, reconnectMost)
		var err error
		if conn, err = p.join(ctx, alone); err != nil && ctx.Err() == nil {
			p.bell.log.Warn("The database cannot be reached.", "error", err)
		}
		p.bell.hear("") // rings may have been missed
	}
}

// hear returns when the connection is lost or ctx ends, and closes it.
func (p *Postgres) hear(ctx context.Context, conn *pgx.Conn) {
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		p.bell.hear(n.Payload)
	}
}
