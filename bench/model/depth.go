package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

// What the database holds when its growth is looked at: old releases, copies of one, and
// targets with a release at home.
const (
	oldReleases = 20_000
	oldPoints   = 20 // of each
	depthBatch  = 20 // releases to one region, before and after
)

var homes = []int{10_000, 100_000, 300_000, 1_000_000}

// depth measures what stays of old releases costs the new ones, and the looks for what is
// to be removed.
func depth(ctx context.Context, c config, dir string) error {
	r, err := newRig(ctx, c.fairway, dir+"/depth")
	if err != nil {
		return err
	}
	defer r.close()
	b := batch{regions: 1, releases: depthBatch, speed: 40, watch: shortWatch, interval: interval}
	if _, err := r.ship(ctx, b, "first"); err != nil { // fills the caches
		return err
	}
	few, err := r.ship(ctx, b, "few")
	if err != nil {
		return err
	}
	if err := r.copies(ctx, oldReleases); err != nil {
		return err
	}
	many, err := r.ship(ctx, b, "many")
	if err != nil {
		return err
	}
	printDepth(few, many)
	return r.looksForOld(ctx)
}

func printDepth(few, many measured) {
	for _, m := range []struct {
		what string
		measured
	}{{fmt.Sprintf("%d releases stored", 2*depthBatch), few}, {fmt.Sprintf("%d more", oldReleases), many}} {
		each := m.cost.per(depthBatch)
		fmt.Printf("  %-22s a release to one region takes %.1f ms of PostgreSQL, %.1f ms of the server and %.1f kB of log\n",
			m.what, each.Database*1e3, each.Server*1e3, each.Log/1e3)
	}
}

// copies of one release that has ended, older than all others, with all that it left.
var copyOne = []string{
	`INSERT INTO releases SELECT (jsonb_populate_record(r, jsonb_build_object('id', '00' || lpad(n::text, 10, '0')))).*
		FROM releases AS r, generate_series(1, %[1]d) AS n WHERE r.id = (%[2]s)`,
	`INSERT INTO runs SELECT (jsonb_populate_record(r, jsonb_build_object('release', '00' || lpad(n::text, 10, '0')))).*
		FROM runs AS r, generate_series(1, %[1]d) AS n WHERE r.release = (%[2]s)`,
	`INSERT INTO events (number, release, seq, at, kind, actor, environment, stage, text, data, previous, hash)
		SELECT -(n * 1000 + e.seq), '00' || lpad(n::text, 10, '0'), e.seq, e.at, e.kind, e.actor, e.environment, e.stage, e.text, e.data, e.previous, e.hash
		FROM events AS e, generate_series(1, %[1]d) AS n WHERE e.release = (%[2]s)`,
	`INSERT INTO points (release, environment, stage, stable, canary, body)
		SELECT '00' || lpad(n::text, 10, '0'), p.environment, p.stage, p.stable, p.canary, p.body
		FROM (SELECT * FROM points WHERE release = (%[2]s) ORDER BY id LIMIT %[3]d) AS p, generate_series(1, %[1]d) AS n`,
}

const anyEnded = `SELECT release FROM runs WHERE state = 'succeeded' AND release > '01' ORDER BY release LIMIT 1`

func (r *rig) copies(ctx context.Context, n int) error {
	conn, err := pgx.Connect(ctx, r.db.URL("fairway"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range copyOne {
		if _, err := conn.Exec(ctx, fmt.Sprintf(statement+" -- %[3]d", n, anyEnded, oldPoints)); err != nil {
			return fmt.Errorf("copy releases: %w", err)
		}
	}
	return nil
}

// looksForOld times the query by which retention finds its work after years: the lines of
// nearly all releases were removed before. It depends on how many targets have a release at
// home.
func (r *rig) looksForOld(ctx context.Context) error {
	st, err := store.OpenPostgres(ctx, store.PostgresConfig{URL: r.db.URL("fairway")})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	if err := r.db.Exec("fairway", "DELETE FROM events WHERE release < '01' AND seq = 1"); err != nil {
		return err
	}
	for _, n := range homes {
		err := r.db.Exec("fairway", fmt.Sprintf(`INSERT INTO homes SELECT 'target-' || n, 'copies', 'production', '00' || lpad((n %% %d)::text, 10, '0')
			FROM generate_series(1, %d) AS n ON CONFLICT DO NOTHING`, oldReleases/2, n))
		if err != nil {
			return err
		}
		if err := r.db.Exec("fairway", "ANALYZE"); err != nil {
			return err
		}
		began := time.Now()
		var found []string
		err = st.Release().Update(ctx, func(tx release.Tx) (err error) {
			found, err = tx.PastEvents(time.Now(), 10)
			return err
		})
		took := time.Since(began).Round(time.Millisecond).String()
		if err != nil {
			took = err.Error()
		}
		fmt.Printf("  %7d homes, %d releases: a look for old lines (%d found) %s\n", n, oldReleases, len(found), took)
	}
	return nil
}
