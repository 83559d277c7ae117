package store_test

import (
	"fmt"
	"testing"

	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// burn takes many transaction IDs, as years do.
const burn = `DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`

// In another cluster transactions have smaller IDs, from which the numbers of lines are made.
func TestADatabaseRestoredInAnotherClusterGoesOnWithItsHistory(t *testing.T) {
	old, fresh := postgres.ForTest(t, "fsync=off"), postgres.ForTest(t, "fsync=off")
	name, url := database(t, old)
	st := openPostgres(t, url)
	if err := old.Exec("postgres", burn); err != nil {
		t.Fatal(err)
	}
	addReleaseOf(t, st, "r1", "shop")
	for i := range 5 {
		if err := addLine(t.Context(), st, "r1", fmt.Sprint("before ", i)); err != nil {
			t.Fatal(err)
		}
	}
	_, last := allLines(t, st, 0)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	copied, url := database(t, fresh)
	if err := old.CopyTo(fresh, name, copied); err != nil {
		t.Fatal(err)
	}
	if ids := [2]int64{xid(t, old), xid(t, fresh)}; ids[1] >= ids[0] {
		t.Fatalf("the transactions have the IDs %d before and %d after it, so nothing is tried here", ids[0], ids[1])
	}
	st = openPostgres(t, url)
	if lines := chain(t, st, "r1"); len(lines) != 5 {
		t.Errorf("%d lines are there, want 5", len(lines))
	}
	addReleaseOf(t, st, "r2", "shop")
	for _, id := range []string{"r1", "r2"} {
		if err := addLine(t.Context(), st, id, "after"); err != nil {
			t.Fatal(err)
		}
		chain(t, st, id)
	}
	said, _ := allLines(t, st, last)
	if len(said) != 2 || said[0] != "r1 after" || said[1] != "r2 after" {
		t.Errorf("who had read all before reads %q now, want the two lines since", said)
	}
}

// allLines reads what comes behind the number, as those do who follow all releases, and the last number.
func allLines(t *testing.T, st *store.Postgres, after int64) (said []string, last int64) {
	t.Helper()
	waitFor(t, "the end of all transactions that may still add lines", func() bool {
		said = nil
		err := st.Release().View(t.Context(), func(tx release.Tx) error {
			lines, number, err := tx.RecentEvents(after, 0)
			last = number
			for _, l := range lines {
				said = append(said, l.Release+" "+l.Text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(said) > 0
	})
	return said, last
}

func xid(t *testing.T, server *postgres.Server) (id int64) {
	t.Helper()
	err := server.Scan(t.Context(), server.URL("postgres"), &id, "SELECT pg_current_xact_id()::text::bigint")
	if err != nil {
		t.Fatal(err)
	}
	return id
}
