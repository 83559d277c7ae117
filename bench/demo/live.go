package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// flaw is what is wrong with a version, and what of its harm is promised.
type flaw struct {
	bar, name, version string
	bad                badness
	most               float64
	bounds             []time.Duration // above which slow answers are told besides
}

// sound is the version that all bad ones are compared with.
const sound = "v5"

var flaws = []flaw{
	{"live_harm_5pp", "errors +5 pp", "v6", failed, 15, nil},
	{"live_harm_2pp", "errors +2 pp", "v7", failed, 40, nil},
	{"live_harm_latency", "latency +100 %", "v8", slowerThan(slow), 90, slowBounds},
}

const (
	// settled is how long a service has run before its first release: longer than the
	// warm-up, in which the latency of instances is not judged.
	settled = 100 * time.Second
	// unnoticed is when a release that is still under way is taken back by hand.
	unnoticed = 10 * time.Minute
	// lastAnswers is how long answers may be under way when a release is over.
	lastAnswers = time.Second
)

// live is the part in which nothing is told to the judge but the promise: what do bad
// versions cost the users of a service until they are gone?
type live struct {
	config
	users
	mu     sync.Mutex
	trials []trial
}

// trial is one release of a bad version.
type trial struct {
	flaw
	lane            string
	canary, running count
	noticed         bool // and taken back by itself
	// took is from the canary's first traffic until all was back, ship from the creation
	// of the release.
	took, ship time.Duration
	weight     float64 // the last of the canary
	reason     string
}

func (t trial) harm() float64 { return harm(t.canary, t.running, t.bad) }

func measureLive(ctx context.Context, c config) ([]bar.Bar, error) {
	r := &live{config: c}
	var err error
	r.users, err = c.run(ctx, course{name: "live", definition: c.liveDefinition, version: sound, lanes: c.liveLanes, releases: r.releases})
	if err != nil {
		return nil, err
	}
	r.print(os.Stdout)
	return r.bars(), nil
}

func (r *live) bars() []bar.Bar {
	var bars []bar.Bar
	missed := 0
	for _, f := range flaws {
		var all []float64
		for _, t := range r.of(f) {
			all = append(all, t.harm())
			if !t.noticed {
				missed++
			}
		}
		bars = append(bars, bar.AtMost(f.bar, median(all), "requests", f.most))
	}
	return append(bars, bar.AtMost("live_missed", float64(missed), "releases", 0))
}

// of are the trials of a flaw.
func (r *live) of(f flaw) (all []trial) {
	for _, t := range r.trials {
		if t.version == f.version {
			all = append(all, t)
		}
	}
	return all
}

// releases ships each bad version as often as the lane has to, each lane beginning
// with another, so that all of them see the machine alike.
func (r *live) releases(ctx context.Context, l *lane, i int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settled):
	}
	for range shareOf(r.config.live, r.liveLanes, i) {
		for k := range flaws {
			t, err := l.try(ctx, flaws[(i+k)%len(flaws)])
			if err != nil {
				return err
			}
			r.mu.Lock()
			r.trials = append(r.trials, t)
			fmt.Printf("%s: %s (%s) is gone after %.0f s\n", l.name, t.name, t.version, t.took.Seconds())
			r.mu.Unlock()
		}
	}
	return nil
}

// try ships a bad version and counts what both versions answer meanwhile.
func (l *lane) try(ctx context.Context, f flaw) (trial, error) {
	t := trial{flaw: f, lane: l.name}
	before := l.traffic.Report()
	d, err := l.ship(ctx, f.version, unnoticed)
	if err != nil {
		return t, err
	}
	t.noticed = d.State == pipeline.RunRolledBack
	if !t.noticed && d.State != pipeline.RunFailed {
		if err := l.rollBack(ctx, d.ID, "the benchmark does not wait any longer"); err != nil {
			return t, err
		}
	}
	time.Sleep(lastAnswers)
	after := l.traffic.Report()
	t.canary = countOf(after, f.version).since(countOf(before, f.version))
	t.running = countOf(after, sound).since(countOf(before, sound))
	return t, l.readLedger(ctx, d, &t)
}

// readLedger learns when the canary had traffic, and why no longer.
func (l *lane) readLedger(ctx context.Context, d client.ReleaseDetail, t *trial) error {
	page, err := l.api.Events(ctx, d.ID, 0, mostEvents)
	if err != nil {
		return err
	}
	var first time.Time
	for _, e := range page.Items {
		switch {
		case e.Kind == "canary.weight":
			if first.IsZero() {
				first = e.At
			}
			var data struct{ Weight float64 }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return fmt.Errorf("read the event %s: %w", e.Kind, err)
			}
			t.weight = data.Weight
		case e.Kind == "canary.verdict" || e.Kind == "watch.verdict":
			t.reason = e.Text
		case tookBack(e):
			t.took, t.ship = e.At.Sub(first), e.At.Sub(d.CreatedAt)
		}
	}
	return nil
}
