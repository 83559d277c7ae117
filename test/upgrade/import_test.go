package upgrade

import (
	"database/sql"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// What one server has left in a file in the middle of releases goes on in PostgreSQL, with all
// rows, and with the same tasks in the same order.
func TestAnImportedRecordingEndsAsItShould(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	names := recordings(t)
	newest := names[len(names)-1]
	r := recordingOf(t, newest)
	had, rows := tasksOf(t, r.database), rowsOf(t, r.database)
	url, err := server.Create("imported")
	if err != nil {
		t.Fatal(err)
	}
	to, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Import(t.Context(), r.database); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(had, tasksIn(t, to)); diff != "" {
		t.Errorf("the tasks of %s are others (- file, + PostgreSQL):\n%s", newest, diff)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	r.goesOn(t, server, "imported", len(outcomes["a good version"].ends), rows)
}

// rowsOf is how many rows each table of a file has.
func rowsOf(t *testing.T, file string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('goose_db_version', 'moved', 'sqlite_sequence')")
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	rows := map[string]int{}
	for tables.Next() {
		var name string
		var n int
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow("SELECT count(*) FROM " + name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[name] = n
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
