package store_test

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// Who comes first makes the tables, and the others wait for that.
func TestServersThatStartTogetherOnAnEmptyDatabaseAllHaveTheirTables(t *testing.T) {
	const together = 6
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	var all sync.WaitGroup
	servers := make([]*store.Postgres, together)
	start := make(chan struct{})
	for i := range servers {
		all.Go(func() {
			<-start
			st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Errorf("server %d: %v", i, err)
			}
			servers[i] = st
		})
	}
	close(start)
	all.Wait()
	if t.Failed() {
		return
	}
	for i, st := range servers {
		t.Cleanup(func() { _ = st.Close() })
		id := string(rune('a' + i))
		addReleaseOf(t, st, id, "shop")
		if err := addLine(t.Context(), st, id, "it works"); err != nil {
			t.Errorf("server %d: %v", i, err)
		}
		chain(t, servers[(i+1)%together], id)
	}
	var twice int
	err := server.Scan(t.Context(), url, &twice, "SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version WHERE is_applied")
	if err != nil || twice != 0 {
		t.Errorf("%d migrations were done twice, %v", twice, err)
	}
}
