// Package stores opens a store of each kind for tests and benchmarks that are about both.
//
//	for _, kind := range stores.Kinds {
//		b.Run(kind.Name, func(b *testing.B) { measure(b, kind.Open(b)) })
//	}
package stores

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// Kinds are a file, and a PostgreSQL of the test's own. Where that is not installed, Open skips
// the test. The store is closed at the test's end.
var Kinds = []struct {
	Name string
	Open func(testing.TB) store.Store
}{
	{"sqlite", openFile},
	{"postgres", openShared},
}

func openFile(t testing.TB) store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func openShared(t testing.TB) store.Store {
	t.Helper()
	url, err := postgres.ForTest(t).Create("fairway")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenPostgres(context.Background(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}
