package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/postgres"
)

func TestPostgres(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	empty, url := database(t, server)
	if err := openPostgres(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t testing.TB) storetest.Store {
		url, err := server.Copy(fmt.Sprintf("copy%d", databases.Add(1)), empty)
		if err != nil {
			t.Fatal(err)
		}
		return openedPostgres(t, url)
	})
}

var databases atomic.Int32

// database makes an empty one.
func database(t testing.TB, server *postgres.Server) (name, url string) {
	t.Helper()
	name = fmt.Sprintf("test%d", databases.Add(1))
	url, err := server.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, url
}

func openPostgres(t testing.TB, url string) *store.Postgres {
	t.Helper()
	st, err := store.OpenPostgres(context.Background(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func openedPostgres(t testing.TB, url string) storetest.Store {
	t.Helper()
	st := openPostgres(t, url)
	return storetest.Store{Drive: st.Drive(), Release: st.Release(), Auth: st.Auth(),
		Reopen: func(t testing.TB) storetest.Store {
			if err := st.Close(); err != nil {
				t.Errorf("close the store: %v", err)
			}
			return openedPostgres(t, url)
		}}
}
