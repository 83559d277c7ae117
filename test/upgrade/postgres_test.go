package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	"github.com/pressly/goose/v3"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// olderRows are recordings, each with the version of PostgreSQL's tables that its rows are
// brought into, and how many releases it has at least in the middle.
var olderRows = []struct {
	recording string
	version   int64
	least     int
}{
	{"2026-11-29.2", 7, 5},  // the first tables that there were in PostgreSQL
	{"2026-11-29.5", 14, 9}, // several services, and regions
	{"2026-11-30", 16, 10},  // the last in which no task says what cannot wait
}

// Rows that were written to tables of an earlier version are there after all migrations since,
// and the releases go on from them.
func TestRowsOfEarlierPostgreSQLTablesAreUsedByTodaysServer(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	for _, older := range olderRows {
		t.Run(fmt.Sprintf("%s in version %d", older.recording, older.version), func(t *testing.T) {
			r := recordingOf(t, older.recording)
			then := fmt.Sprint("version", older.version)
			if _, err := server.Create(then); err != nil {
				t.Fatal(err)
			}
			migrateTo(t, server.URL(then), older.version)
			wrote := copyRows(t, r.database, server.URL(then))
			delete(wrote, "chores") // version 16 forgets one
			r.goesOn(t, server, then, older.least, wrote)
		})
	}
}

// goesOn opens a copy of the database for each outcome with today's code, sees whether all rows
// are there, and brings the releases to their ends.
func (r recording) goesOn(t *testing.T, server *postgres.Server, database string, least int, rows map[string]int) {
	t.Helper()
	for name, o := range outcomes {
		t.Run(name, func(t *testing.T) {
			url, err := server.Copy(database+"_"+strings.Fields(name)[1], database)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				for table, want := range rows {
					var have int
					if err := server.Scan(t.Context(), url, &have, "SELECT count(*) FROM "+table); err != nil || have != want {
						t.Errorf("%s has %d rows, %v, and had %d", table, have, err, want)
					}
				}
				o.comesTrue(t, st, r.table, least)
			})
		})
	}
}

// migrateTo makes the tables as they were in that version.
func migrateTo(t *testing.T, url string, version int64) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	of, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("../../internal/store/migrations/postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := of.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if err := of.Close(); err != nil {
		t.Fatal(err)
	}
}

// copyRows writes the rows of a recording into PostgreSQL's tables of the same version, and
// returns how many each has by that.
func copyRows(t *testing.T, file, url string) map[string]int {
	t.Helper()
	from, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close(context.WithoutCancel(t.Context())) }()
	if _, err := to.Exec(t.Context(), "SET session_replication_role = replica"); err != nil { // in any order
		t.Fatal(err)
	}
	wrote := map[string]int{}
	for table, types := range columnsOf(t, to) {
		wrote[table] = copyTable(t, from, to, table, types)
	}
	for _, table := range []string{"releases", "runs", "tasks", "fences", "lanes", "homes", "events", "points", "plans"} {
		if wrote[table] == 0 {
			t.Errorf("the recording has no row for %s", table)
		}
	}
	if _, err := to.Exec(t.Context(), "SELECT setval(pg_get_serial_sequence('points', 'id'), max(id)) FROM points"); err != nil {
		t.Fatal(err)
	}
	return wrote
}

func copyTable(t *testing.T, from *sql.DB, to *pgx.Conn, table string, types []column) int {
	t.Helper()
	var names []string
	for _, c := range types {
		names = append(names, c.name)
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + table
	if table == "turns" { // SQLite needs none
		query = "SELECT service FROM releases UNION SELECT service FROM homes UNION SELECT service FROM tasks"
	}
	rows, err := from.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n, err := to.CopyFrom(t.Context(), pgx.Identifier{table}, names, &recorded{Rows: rows, types: types})
	if err := errors.Join(err, rows.Err()); err != nil {
		t.Fatalf("table %s: %v", table, err)
	}
	return int(n)
}

type column struct{ name, kind string }

// columnsOf are those of all tables that both kinds of stores have.
func columnsOf(t *testing.T, in *pgx.Conn) map[string][]column {
	t.Helper()
	rows, err := in.Query(t.Context(), `SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT IN ('goose_db_version', 'inquiries', 'listeners', 'marks', 'numbering') ORDER BY table_name, ordinal_position`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]column{}
	var table string
	var c column
	_, err = pgx.ForEachRow(rows, []any{&table, &c.name, &c.kind}, func() error {
		all[table] = append(all[table], c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// recorded gives the rows of SQLite as PostgreSQL takes them.
type recorded struct {
	*sql.Rows
	types []column
}

func (r *recorded) Values() ([]any, error) {
	values, into := make([]any, len(r.types)), make([]any, len(r.types))
	for i := range values {
		into[i] = &values[i]
	}
	if err := r.Scan(into...); err != nil {
		return nil, err
	}
	for i, c := range r.types {
		if c.kind == "boolean" {
			values[i] = fmt.Sprint(values[i]) == "1"
		}
	}
	return values, nil
}
