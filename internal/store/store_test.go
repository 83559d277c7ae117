package store_test

import (
	"context"
	"testing"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Store {
		return opened(t, t.TempDir()+"/fairway.db")
	})
}

func opened(t testing.TB, path string) storetest.Store {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	closeStore := func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	}
	t.Cleanup(closeStore)
	return storetest.Store{Drive: st.Drive(), Release: st.Release(), Auth: st.Auth(),
		Reopen: func(t testing.TB) storetest.Store {
			closeStore()
			return opened(t, path)
		}}
}
