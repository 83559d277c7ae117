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

const (
	firstPostgres = 7 // the first version of the tables in PostgreSQL
	ofThen        = "2026-11-29.2"
)

// Rows that were written to the first tables that PostgreSQL ever had are there after all
// migrations since, and the releases go on from them.
func TestRowsOfTheFirstPostgreSQLTablesAreUsedByTodaysServer(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	r := recordingOf(t, ofThen)
	if _, err := server.Create("then"); err != nil {
		t.Fatal(err)
	}
	migrateTo(t, server.URL("then"), firstPostgres)
	wrote := copyRows(t, r.database, server.URL("then"))
	for name, o := range outcomes {
		t.Run(name, func(t *testing.T) {
			url, err := server.Copy("now_"+strings.Fields(name)[1], "then")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				for table, want := range wrote {
					var have int
					if err := server.Scan(t.Context(), url, &have, "SELECT count(*) FROM "+table); err != nil || have != want {
						t.Errorf("%s has %d rows, %v, and had %d", table, have, err, want)
					}
				}
				o.comesTrue(t, st, r.table, 5)
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
	for _, table := range []string{"releases", "runs", "tasks", "lanes", "homes", "events", "points", "plans"} {
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
		query = "SELECT service FROM releases UNION SELECT service FROM homes"
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
		WHERE table_schema = 'public' AND table_name NOT IN ('goose_db_version', 'marks', 'numbering') ORDER BY table_name, ordinal_position`)
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
