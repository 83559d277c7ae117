package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// busyTimeout is how long a statement waits for another program that has the
// file locked, which only a person's tool can, as the lock file keeps servers away.
var busyTimeout = 5 * time.Second

// access says what a connection is for.
type access int

const (
	forWriting access = iota
	forReading
)

// connection is one connection with its prepared statements. One goroutine at a
// time may use it.
type connection struct {
	db         *sql.DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

func connect(ctx context.Context, file string, a access) (*connection, error) {
	db, err := openDatabase(file, a)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &connection{db: db, conn: conn, statements: make(map[string]*sql.Stmt)}, nil
}

// openDatabase keeps the page caches small on purpose: the hot pages of thousands
// of waiting releases are few, and the system caches the file anyway.
func openDatabase(file string, a access) (*sql.DB, error) {
	pragmas := []string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "foreign_keys(1)", "temp_store(2)"}
	switch a {
	case forWriting:
		pragmas = append(pragmas, "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-4096)",
			"wal_autocheckpoint(4000)", "journal_size_limit(33554432)")
	case forReading:
		pragmas = append(pragmas, "query_only(1)", "cache_size(-1024)")
	}
	dsn := url.URL{Scheme: "file", Path: file, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// statement prepares each query once. Statements run without the caller's
// context: with one, the driver would start a goroutine for every statement.
func (c *connection) statement(query string) (*sql.Stmt, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.statements[query] = s
	return s, nil
}

func (c *connection) exec(query string, args ...any) (int64, error) {
	s, err := c.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// send keeps nothing back, since a statement is but a call.
func (c *connection) send(done func(int64, error) error, query string, args ...any) error {
	return done(c.exec(query, args...))
}

// doubt has nothing to wait for: send has the answer.
func (c *connection) doubt() {}

// turns has nothing to wait for: there is one writer.
func (c *connection) turns(string, []string) error { return nil }

func (c *connection) took(string) {}

func (c *connection) fault(err error) (told error, spoilt bool) {
	err = translate(err)
	return err, severe(err)
}

func (c *connection) dialect() dialect { return dialectSQLite }

func (c *connection) query(query string, args ...any) (rows, error) {
	s, err := c.statement(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

func (c *connection) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.conn.Close(), c.db.Close())...)
}
