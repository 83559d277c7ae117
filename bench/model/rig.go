package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/postgres"
)

// rig is a real server process on a real PostgreSQL, with counting relays on both ways.
type rig struct {
	db       *postgres.Server
	server   *fleet.Server
	workers  *relay // in front of the server
	database *relay // in front of PostgreSQL
	watch    *pgx.Conn
	api      *client.Client
	token    string // a worker's
	made     int    // releases

	dir, fairway, url string
}

// settings let PostgreSQL tell what it carries out, and keep checkpoints, which write
// pages a second time, out of the measuring.
var settings = []string{
	"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=off",
	"shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=1h", "max_connections=200",
}

func newRig(ctx context.Context, fairway, dir string, flags ...string) (_ *rig, err error) {
	r := &rig{dir: dir, fairway: fairway}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	cluster := filepath.Join(dir, "postgres")
	if err := os.MkdirAll(cluster, 0o755); err != nil {
		return nil, err
	}
	if r.db, err = postgres.Start(cluster, settings...); err != nil {
		return nil, err
	}
	direct, err := r.db.Create("fairway")
	if err != nil {
		return nil, err
	}
	if err := r.db.Exec("postgres", "CREATE EXTENSION pg_stat_statements"); err != nil {
		return nil, fmt.Errorf("PostgreSQL cannot count its statements: %w", err)
	}
	at, err := url.Parse(direct)
	if err != nil {
		return nil, err
	}
	if r.database, err = startRelay(at.Host); err != nil {
		return nil, err
	}
	at.Host = r.database.address()
	r.url = at.String()
	if r.watch, err = pgx.Connect(ctx, r.db.URL("postgres")); err != nil {
		return nil, err
	}
	return r, r.begin(ctx, flags...)
}

// begin starts the server.
func (r *rig) begin(ctx context.Context, flags ...string) (err error) {
	server := &fleet.Server{
		Fairway: r.fairway, Dir: filepath.Join(r.dir, "server"), Database: r.url,
		Flags: append([]string{"--verify-every", "0", "--drift-every", "0"}, flags...),
	}
	if _, err := server.Start(ctx); err != nil {
		return err
	}
	r.server = server
	if r.workers, err = startRelay(server.Address); err != nil {
		return err
	}
	token, err := server.Token()
	if err != nil {
		return err
	}
	if r.api, err = client.New(client.Config{URL: server.URL(), Token: token}); err != nil {
		return err
	}
	made, err := r.api.AddToken(ctx, client.NewToken{Name: "workers" + server.Address, Worker: true})
	r.token = made.Secret
	return err
}

// end stops the server.
func (r *rig) end() {
	if r.server != nil {
		r.server.Stop()
		r.server = nil
	}
	if r.workers != nil {
		r.workers.stop()
		r.workers = nil
	}
}

func (r *rig) close() {
	r.end()
	if r.watch != nil {
		_ = r.watch.Close(context.Background())
	}
	if r.database != nil {
		r.database.stop()
	}
	if r.db != nil {
		r.db.Stop()
	}
}

// workersURL is where workers reach the server, counted.
func (r *rig) workersURL() string { return "http://" + r.workers.address() }

// counted is what the counters of all parts say; of two the difference is a cost.
//
// Each transaction that writes leaves one mark, and each that reads ends with ROLLBACK. Of
// prepared statements PostgreSQL 15 counts BEGIN, COMMIT and SET once and no more, so they
// are added: two for each transaction, and three for each ring of the bell.
const selectCounted = `SELECT updates, views, others + 2 * updates + views + 3 * rings, log FROM (SELECT
	coalesce(sum(calls) FILTER (WHERE query LIKE 'INSERT INTO marks%'), 0)::float8 AS updates,
	coalesce(sum(calls) FILTER (WHERE query = 'ROLLBACK'), 0)::float8 AS views,
	coalesce(sum(calls) FILTER (WHERE query LIKE 'SELECT pg_notify%'), 0)::float8 AS rings,
	coalesce(sum(calls) FILTER (WHERE query !~* '^(begin|commit|set) ?'), 0)::float8 AS others,
	pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS log
	FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid WHERE datname = 'fairway' AND query NOT LIKE '%bench\_%') AS counted`

func (r *rig) counted(ctx context.Context) (c cost, err error) {
	err = r.watch.QueryRow(ctx, selectCounted).Scan(&c.Updates, &c.Views, &c.Statements, &c.Log)
	c.Server = fleet.CPU(r.server.PID()).Seconds()
	c.Database = fleet.CPU(r.db.PID()).Seconds()
	c.WorkerWire, c.DatabaseWire = float64(r.workers.bytes.Load()), float64(r.database.bytes.Load())
	return c, err
}

// stored are rows and bytes by table.
type stored map[string]struct{ Rows, Bytes float64 }

const selectTables = `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname`

// stored empties the tables of what is dead, and tells what is left.
func (r *rig) stored(ctx context.Context) (stored, error) {
	conn, err := pgx.Connect(ctx, r.db.URL("fairway"))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "VACUUM (FULL, ANALYZE)"); err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, selectTables)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	all := stored{}
	for _, name := range names {
		s := all[name]
		table := pgx.Identifier{name}.Sanitize()
		if err := conn.QueryRow(ctx, "SELECT count(*)::float8, pg_total_relation_size($1::text::regclass)::float8 FROM "+table, name).Scan(&s.Rows, &s.Bytes); err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
}

// since is what was added, by table, and in all.
func (s stored) since(before stored) (added stored, sum cost) {
	added = stored{}
	for name, now := range s {
		now.Rows -= before[name].Rows
		now.Bytes -= before[name].Bytes
		if now.Rows != 0 || now.Bytes != 0 {
			added[name] = now
		}
		sum.Rows += now.Rows
		sum.Bytes += now.Bytes
	}
	return added, sum
}
