// Package store keeps everything that Fairway must not lose. It holds the only SQL.
//
//	st, err := store.Open(ctx, store.Config{Path: "fairway.db"})
//	err = st.Update(ctx, func(tx *store.Tx) error { return tx.DeleteTask(release, environment) })
//
// The other rooms declare what they need of a store where they need it
// (drive.Store, release.Store, auth.Store); this package implements all of it,
// and storetest is the suite that any implementation must pass.
//
//	Update ──► one writer: waiting updates, one after the other ──► one commit, one fsync ──► all acknowledged
//	View   ──► a pool of read-only connections, each a snapshot
//
// One file per table; each query is a constant beside the method that runs it.
// The queries keep to what SQLite and PostgreSQL both understand.
package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

// Store is an open store, whatever it is made of.
type Store interface {
	// Drive, Release and Auth are the store as these packages need it.
	Drive() drive.Store
	Release() release.Store
	Auth() auth.Store
	// Join makes the server one of those on the store until ctx ends. Where no other one
	// is there it calls alone first, to make up for the time in which there was none.
	Join(ctx context.Context, alone func(context.Context) error) error
	// Rung gets a signal when another server has committed something.
	Rung() <-chan struct{}
	// Freed takes the places in which other servers have told that tasks became free.
	Freed() []drive.Place
	// Ahead is how far the clock that all servers on the store go by is ahead of this
	// machine's; negative where it is behind.
	Ahead(ctx context.Context) (time.Duration, error)
	// Close waits for the transactions in progress, and lets go of the store.
	Close() error
}

var (
	_ Store = (*SQLite)(nil)
	_ Store = (*Postgres)(nil)
)

// Config says where the store is.
type Config struct {
	// Path is the database file. It, its folder and the files beside it (-wal,
	// -shm, .lock) are created if missing, readable by their owner only.
	Path string
}

// SQLite is the embedded store. Only one process at a time can have it open.
// Its methods may be called from many goroutines.
type SQLite struct {
	lock    *lock
	writer  *writer
	readers *readers
	close   func() error
}

var (
	_ drive.Store   = driveStore{}
	_ release.Store = releaseStore{}
	_ release.Tx    = (*Tx)(nil)
	_ auth.Store    = authStore{}
)

// Open opens the database, creates it if it is missing, and brings its tables up
// to date. It returns fault.Conflict where another process holds the database,
// where the file is damaged or no database, where a newer Fairway wrote it, and where
// it was imported into PostgreSQL; fault.Denied where the folder may not be written;
// fault.Unavailable where the disk is full or fails.
func Open(ctx context.Context, c Config) (*SQLite, error) {
	st, err := openMoved(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := notMoved(ctx, c.Path); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// openMoved opens also what was imported.
func openMoved(ctx context.Context, c Config) (*SQLite, error) {
	file, err := prepareFile(c.Path)
	if err != nil {
		return nil, err
	}
	lock, err := acquireLock(file + ".lock")
	if err != nil {
		return nil, err
	}
	st, err := open(ctx, file)
	if err != nil {
		return nil, errors.Join(openFault(err, file), lock.release())
	}
	st.lock = lock
	st.close = sync.OnceValue(st.shut)
	return st, nil
}

func open(ctx context.Context, file string) (*SQLite, error) {
	if err := createFile(file); err != nil {
		return nil, err
	}
	if err := migrate(ctx, file); err != nil {
		return nil, err
	}
	plans := newPlanCache(maxPlans)
	conn, err := connect(ctx, file, forWriting)
	if err != nil {
		return nil, err
	}
	return &SQLite{
		writer:  startWriter(conn, plans),
		readers: newReaders(file, plans),
	}, nil
}

// Close waits for the transactions in progress, and lets go of the database.
// What comes later gets fault.Unavailable. Closing again does nothing more.
func (s *SQLite) Close() error { return s.close() }

func (s *SQLite) shut() error {
	return errors.Join(s.writer.stop(), s.readers.stop(), s.lock.release())
}

// Update runs f on the caller's goroutine in the one write transaction, after the
// updates that came before. When it returns nil, what f wrote is on disk. When f
// fails or panics, nothing of it is kept. A cancelled context is respected until
// f starts. While f runs no other update does, so f must be short, touch nothing
// but tx, and not call Update.
func (s *SQLite) Update(ctx context.Context, f func(*Tx) error) error {
	return s.writer.update(ctx, f)
}

// View runs f on a snapshot that contains every update acknowledged before.
func (s *SQLite) View(ctx context.Context, f func(*Tx) error) error {
	return s.readers.view(ctx, f)
}

// Join calls alone: a database file has no other server.
func (s *SQLite) Join(ctx context.Context, alone func(context.Context) error) error {
	return alone(ctx)
}

// Rung never gets a signal.
func (s *SQLite) Rung() <-chan struct{} { return nil }

// Freed returns nothing for the same reason.
func (s *SQLite) Freed() []drive.Place { return nil }

// Ahead is zero: the only server's clock counts.
func (s *SQLite) Ahead(context.Context) (time.Duration, error) { return 0, nil }

// Drive returns the store as package drive needs it.
func (s *SQLite) Drive() drive.Store { return driveStore{s} }

// Release returns the store as package release needs it.
func (s *SQLite) Release() release.Store { return releaseStore{s} }

// Auth returns the store as package auth needs it.
func (s *SQLite) Auth() auth.Store { return authStore{s} }

// transactions are what the faces of a store stand on.
type transactions interface {
	Update(ctx context.Context, f func(*Tx) error) error
	View(ctx context.Context, f func(*Tx) error) error
}

type driveStore struct{ transactions }

func (d driveStore) Update(ctx context.Context, f func(drive.Tx) error) error {
	return d.transactions.Update(ctx, func(tx *Tx) error { return f(tx) })
}

func (d driveStore) View(ctx context.Context, f func(drive.Tx) error) error {
	return d.transactions.View(ctx, func(tx *Tx) error { return f(tx) })
}

type releaseStore struct{ transactions }

func (r releaseStore) Update(ctx context.Context, f func(release.Tx) error) error {
	return r.transactions.Update(ctx, func(tx *Tx) error { return f(tx) })
}

func (r releaseStore) View(ctx context.Context, f func(release.Tx) error) error {
	return r.transactions.View(ctx, func(tx *Tx) error { return f(tx) })
}

type authStore struct{ transactions }

func (a authStore) Update(ctx context.Context, f func(auth.Tx) error) error {
	return a.transactions.Update(ctx, func(tx *Tx) error { return f(tx) })
}

func (a authStore) View(ctx context.Context, f func(auth.Tx) error) error {
	return a.transactions.View(ctx, func(tx *Tx) error { return f(tx) })
}

var errClosed = fault.Errorf(fault.Unavailable, "the database is closed, since the server is stopping").
	WithHint("try again when the server is back")
