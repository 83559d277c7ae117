package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
)

// trial is a load that two cores bear for some minutes, in a time that runs faster.
type trial struct {
	load
	releases int
	speed    float64
	spread   time.Duration // over which the releases are made
}

func small() trial {
	return trial{
		load: load{
			Regions: 20, Mix: []part{{0.7, 1}, {0.3, 10}},
			Watch: 3 * time.Minute, Interval: interval, Workers: 1,
		},
		releases: 10, speed: 10, spread: 20 * time.Second,
	}
}

// check carries a small load out and compares what it takes with what the model says, which
// is told the load and how many samples the judges needed.
func check(ctx context.Context, c config, dir string, u *units) ([]bar.Bar, error) {
	l := small()
	if err := l.validate(u); err != nil {
		return nil, err
	}
	r, err := newRig(ctx, c.fairway, dir+"/check")
	if err != nil {
		return nil, err
	}
	defer r.close()
	regions := regionNames(l.Regions)
	f, err := startFleet(ctx, muster{
		url: r.workersURL(), token: r.token, name: "check", environment: "production", regions: regions, parallel: 100,
		executors: newWorld(l.speed, 7).executors(),
	})
	if err != nil {
		return nil, err
	}
	defer f.end()
	if err := sleep(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	found, err := r.during(ctx, func() error {
		if err := r.arrive(ctx, l); err != nil {
			return err
		}
		return r.ended(ctx, 8*time.Minute)
	})
	if err != nil {
		return nil, err
	}
	// How long the judges took is theirs, and the machine's.
	l.Canary = time.Duration(found.tables["points"].Rows/(float64(l.releases)*l.regionsOfService())*float64(l.Interval)) - l.Watch
	for _, name := range passing {
		found.Rows -= found.tables[name].Rows
		found.Bytes -= found.tables[name].Bytes
	}
	bars := compare(l, u, found)
	return bars, r.tries(ctx, f)
}

const selectTries = `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query LIKE '%SKIP LOCKED%' AND query LIKE '%FROM tasks%'`

// tries tells how often workers tried to lease, in a transaction that writes, beside what
// they reported.
func (r *rig) tries(ctx context.Context, f *workforce) error {
	var n int64
	if err := r.watch.QueryRow(ctx, selectTries).Scan(&n); err != nil {
		return err
	}
	fmt.Printf("  %d tries to lease, %d reports with samples, %d other reports, %d signs of life\n",
		n, f.counted.sampled.Load(), f.counted.others.Load(), f.counted.signs.Load())
	return nil
}

// arrive makes the releases one after the other, each of a service of its own.
func (r *rig) arrive(ctx context.Context, l trial) error {
	texts := l.definitions()
	errs := make([]error, len(texts))
	var all sync.WaitGroup
	defer all.Wait()
	ticker := time.NewTicker(l.spread / time.Duration(len(texts)))
	defer ticker.Stop()
	for i, text := range texts {
		all.Go(func() { errs[i] = r.create(ctx, text, i) })
		<-ticker.C
	}
	all.Wait()
	return errors.Join(errs...)
}

// definitions are as many of each part of the mix as it has, in turns.
func (l trial) definitions() (texts []string) {
	regions := regionNames(l.Regions)
	given := make([]float64, len(l.Mix))
	for i := range l.releases {
		next, behind := 0, math.Inf(-1)
		for k, p := range l.Mix {
			if b := p.Of*float64(i+1) - given[k]; b > behind {
				next, behind = k, b
			}
		}
		given[next]++
		from := i % (l.Regions - l.Mix[next].Regions + 1)
		texts = append(texts, define(fmt.Sprintf("check-%d", i), regions[from:from+l.Mix[next].Regions], l.Watch, l.Interval))
	}
	return texts
}

// predicted is what the model says of the trial, had it lasted so many seconds.
func (l trial) predicted(u *units, seconds float64) cost {
	step := time.Duration(float64(l.Interval) / l.speed)
	w := l.work(u, float64(l.releases), step)
	workers := float64(l.Regions * l.Workers)
	tasks := w.LegSeconds / seconds
	idle, _ := waiting(u, workers, w.sum().Updates/seconds, tasks)
	legs := float64(l.releases) * l.regionsOfService()
	return w.sum().plus(seconds, u.Idle).plus(seconds, idle).plus(seconds*min(workers, tasks), u.Holder).plus(legs, u.Target)
}

func compare(l trial, u *units, found measured) []bar.Bar {
	said := l.predicted(u, found.seconds)
	fmt.Printf("%d releases to %.0f regions in all, %d workers, %.0f s, time %g times as fast\n",
		l.releases, float64(l.releases)*l.regionsOfService(), l.Regions*l.Workers, found.seconds, l.speed)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tsaid\tmeasured\tratio\t")
	worst := func(of ...float64) (most float64) {
		for i := 0; i < len(of); i += 2 {
			most = max(most, of[i]/of[i+1], of[i+1]/of[i])
		}
		return most
	}
	line := func(what string, said, found float64) {
		fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.2f\t\n", what, said, found, said/found)
	}
	line("transactions that write", said.Updates, found.Updates)
	line("transactions", said.transactions(), found.transactions())
	line("statements", said.Statements, found.Statements)
	line("rows", said.Rows, found.Rows)
	line("kB kept", said.Bytes/1e3, found.Bytes/1e3)
	line("kB of log", said.Log/1e3, found.Log/1e3)
	line("kB workers to server", said.WorkerWire/1e3, found.WorkerWire/1e3)
	line("kB server to database", said.DatabaseWire/1e3, found.DatabaseWire/1e3)
	line("seconds of the server", said.Server, found.Server)
	line("seconds of PostgreSQL", said.Database, found.Database)
	t.Flush()
	return []bar.Bar{
		bar.AtMost("model_error", worst(said.Updates, found.Updates, said.transactions(), found.transactions(), said.Rows, found.Rows, said.Bytes, found.Bytes), "", 1.15),
		bar.AtMost("model_error_wire", worst(said.Log, found.Log, said.WorkerWire, found.WorkerWire, said.DatabaseWire, found.DatabaseWire), "", 1.25),
		bar.AtMost("model_error_cpu", worst(said.Server, found.Server, said.Database, found.Database), "", 1.5),
	}
}
