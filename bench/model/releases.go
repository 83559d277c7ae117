package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// batch are releases of services of their own that go side by side.
type batch struct {
	regions, releases int
	speed             float64
	// watch is how long the releases are watched, interval is between two samples.
	watch, interval time.Duration
}

// The two lengths of the watch, which differ in nothing but samples.
const (
	shortWatch = time.Minute
	longWatch  = 30 * time.Minute
)

// reportsAtOnce is about how many reports come in a second at most, whatever the number of
// regions: the world's time is so fast. What a report costs does not depend on how many
// there are, so releases to many regions are sampled less often.
const (
	reportsAtOnce = 40
	fewRegions    = 20
	seldom        = 4 * interval
)

func batchOf(regions, legs int) batch {
	b := batch{regions: regions, releases: max(1, legs/regions), interval: interval}
	atOnce := float64(reportsAtOnce)
	if regions > fewRegions {
		b.interval, atOnce = seldom, atOnce/4
	}
	b.speed = min(40, atOnce*b.interval.Seconds()/float64(b.releases*regions))
	return b
}

// ship carries the releases out with one worker for all regions.
func (r *rig) ship(ctx context.Context, b batch, services string) (m measured, err error) {
	regions := regionNames(b.regions)
	var texts []string
	for i := range b.releases {
		texts = append(texts, define(fmt.Sprintf("%s-%d", services, i), regions, b.watch, b.interval))
	}
	f, err := startFleet(ctx, muster{
		url: r.workersURL(), token: r.token, name: services, environment: "production",
		parallel: b.regions*b.releases + 10, executors: newWorld(b.speed, uint64(b.regions)).executors(),
	})
	if err != nil {
		return m, err
	}
	defer f.end()
	m, err = r.during(ctx, func() error {
		if err := r.createAll(ctx, texts); err != nil {
			return err
		}
		return r.ended(ctx, 10*time.Minute)
	})
	m.signs, m.sampled, m.others = float64(f.counted.signs.Load()), float64(f.counted.sampled.Load()), float64(f.counted.others.Load())
	return m, err
}

// releaseCost measures releases to so many regions, with few samples and with many. Of a
// release to many regions two cores do not bear the whole: see window.
func (r *rig) releaseCost(ctx context.Context, u *units, b batch) error {
	if b.regions > fewRegions && len(u.Releases) > 0 {
		return r.window(ctx, u, b)
	}
	services := fmt.Sprintf("of%d", b.regions)
	b.watch = shortWatch
	few, err := r.ship(ctx, b, services)
	if err != nil {
		return err
	}
	b.watch = longWatch
	many, err := r.ship(ctx, b, services)
	if err != nil {
		return err
	}
	if b.regions == 10 {
		u.Target = perTarget(few).per(float64(b.regions * b.releases))
	}
	each := releaseUnits{Regions: b.regions}
	releases, points := float64(b.releases), few.tables["points"]
	fewCost, manyCost := u.ofReleases(few), u.ofReleases(many)
	// A busy machine puts several samples into one report, so reports are counted.
	each.Sample = manyCost.plus(-1, fewCost).per(many.sampled - few.sampled).least0()
	each.Sample.Rows, each.Sample.Bytes = 1, many.tables["points"].Bytes/many.tables["points"].Rows
	each.Release = fewCost.plus(-few.sampled, each.Sample).per(releases).least0()
	each.Release.Rows, each.Release.Bytes = (fewCost.Rows-points.Rows)/releases, (fewCost.Bytes-points.Bytes)/releases
	each.Lines, each.LineBytes = few.tables["events"].Rows/releases, few.tables["events"].Bytes/releases
	if each.Run, err = r.runSize(ctx); err != nil {
		return err
	}
	u.Releases = append(u.Releases, each)
	slices.SortFunc(u.Releases, func(a, b releaseUnits) int { return a.Regions - b.Regions })
	fmt.Printf("  %3d regions, %d releases at once, a watch of %s and one of %s:\n", b.regions, b.releases, shortWatch, longWatch)
	for _, m := range []measured{few, many} {
		fmt.Printf("      %.0f s, %.0f samples in %.0f reports, %.0f other reports, %.0f signs of life\n", m.seconds, m.tables["points"].Rows, m.sampled, m.others, m.signs)
	}
	printTables(few, releases)
	return nil
}

// ofReleases takes away what is not the releases': the server's idling, the one worker's
// waiting and looking, signs of life, and what stays of targets.
func (u *units) ofReleases(m measured) cost {
	c := m.cost.plus(-m.seconds, u.Idle).plus(-m.seconds, u.Waiting).plus(-m.Updates, u.Look)
	if u.SignsPerSecond > 0 {
		c = c.plus(-m.signs/u.SignsPerSecond, u.Held)
	}
	once := perTarget(m)
	c.Rows -= once.Rows
	c.Bytes -= once.Bytes
	for _, name := range passing {
		c.Rows -= m.tables[name].Rows
		c.Bytes -= m.tables[name].Bytes
	}
	return c
}

// Of these tables, the first are one row for each service or target, the others hold
// nothing that stays.
var (
	lasting = []string{"turns", "fences", "homes", "drifts"}
	passing = []string{"tasks", "lanes", "marks", "outbox", "scales", "listeners", "inquiries", "chores", "alive", "sessions", "tokens"}
)

func perTarget(m measured) (c cost) {
	for _, name := range lasting {
		c.Rows += m.tables[name].Rows
		c.Bytes += m.tables[name].Bytes
	}
	return c
}

const selectRunSize = `SELECT octet_length(body)::float8 AS bench_run FROM runs ORDER BY release DESC LIMIT 1`

func (r *rig) runSize(ctx context.Context) (n float64, err error) {
	err = r.db.Scan(ctx, r.db.URL("fairway"), &n, selectRunSize)
	return n, err
}
