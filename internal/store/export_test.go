package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"
)

// Pages counts the pages of the database; LimitPages makes it full at the
// number, as a full disk does. Nothing else may use the store meanwhile.
func (s *SQLite) Pages() (n int, err error) {
	err = s.writer.conn.conn.QueryRowContext(context.Background(), "PRAGMA page_count").Scan(&n)
	return n, err
}

func (s *SQLite) LimitPages(n int) error {
	_, err := s.writer.conn.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", n))
	return err
}

// Raw opens the file beside the store, as a person's tool does.
func Raw(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// SetBusyTimeout shortens the wait for a locked file until the test ends.
func SetBusyTimeout(t testing.TB, d time.Duration) {
	old := busyTimeout
	busyTimeout = d
	t.Cleanup(func() { busyTimeout = old })
}

// SetUpdateLimit shortens how long a transaction may take until the test ends.
func SetUpdateLimit(t testing.TB, d time.Duration) {
	old := updateLimit
	updateLimit = d
	t.Cleanup(func() { updateLimit = old })
}

// SetSettleLimit shortens how long a lost commit is looked up until the test ends.
func SetSettleLimit(t testing.TB, d time.Duration) {
	old := settleLimit
	settleLimit = d
	t.Cleanup(func() { settleLimit = old })
}

// SameFile proves that the path still leads to the file.
var SameFile = sameFile

// ReplaceBy gives a file the place of a database.
var ReplaceBy = replaceBy

const MaxPlans = maxPlans

// CachedPlans counts the decoded plans in memory.
func (s *SQLite) CachedPlans() int { return s.writer.tx.plans.byHash.Len() }
