package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// flaw is what is wrong with a version, and how many bad answers of it are promised.
type flaw struct {
	name    string // of the bars
	version rig.Version
	most    float64
}

var flaws = []flaw{
	{"100pct", rig.Fails100, 15},
	{"10pct", rig.Fails10, 15},
	{"2pct", rig.Fails2, 25},
	{"latency_300ms", rig.Late, 60},
}

const (
	// slow is from when on an answer is a bad one.
	slow = 250 * time.Millisecond
	// unnoticed is when a bad release that is still under way is taken back by hand.
	unnoticed = 10 * time.Minute
	// lastAnswers is how long answers may be under way when the canary has no weight.
	lastAnswers = 2 * time.Second
)

// trial is one release of a bad version.
type trial struct {
	flaw
	// served are the bad answers that the fault caused, also those that were under way
	// when the canary's weight became 0.
	served int
	// took is from the canary's first weight until it had none, ship from the release's
	// creation.
	took, ship time.Duration
	noticed    bool // and taken back by itself
	share      float64
	reason     string
}

func measureBad(ctx context.Context, r *rig.Rig, c config) ([]bar.Bar, error) {
	var mu sync.Mutex
	var trials []trial
	err := inLanes(ctx, r, c, func(team *rig.Team, lane int) error {
		for i := range shareOf(c.runs, c.lanes, lane) {
			for k := range flaws {
				// Each round begins with another fault, so that all see the machine alike.
				t, err := try(ctx, team, flaws[(i+lane+k)%len(flaws)])
				if err != nil {
					return err
				}
				mu.Lock()
				trials = append(trials, t)
				fmt.Printf("%s: %s: %d bad answers, gone after %.0f s (%.0f s from ship), at most %.3g %% of the traffic; %s\n",
					team.Name, t.name, t.served, t.took.Seconds(), t.ship.Seconds(), 100*t.share, t.reason)
				mu.Unlock()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return badBars(trials), nil
}

func badBars(trials []trial) []bar.Bar {
	var bars []bar.Bar
	missed := 0
	fmt.Println()
	for _, f := range flaws {
		var served, took []float64
		for _, t := range trials {
			if t.name != f.name {
				continue
			}
			served, took = append(served, float64(t.served)), append(took, t.took.Seconds())
			if !t.noticed {
				missed++
			}
		}
		row(f.name+": bad answers served", served, "requests")
		row(f.name+": first traffic to none", took, "s")
		bars = append(bars, bar.AtMost("bad_served_"+f.name, median(served), "requests", f.most),
			bar.Bar{Name: "seconds_to_rollback_" + f.name, Value: median(took), Unit: "s", Bar: "reported", OK: true})
	}
	fmt.Println()
	return append(bars, bar.AtMost("bad_missed", float64(missed), "releases", 0))
}

// try ships a bad version and counts what its fault did.
func try(ctx context.Context, team *rig.Team, f flaw) (trial, error) {
	t := trial{flaw: f}
	release, err := team.Ship(ctx, f.version)
	if err != nil {
		return t, err
	}
	d, err := end(ctx, release, unnoticed)
	if err != nil {
		return t, err
	}
	t.noticed = d.State == pipeline.RunRolledBack
	if d.State == pipeline.RunFailed {
		return t, fmt.Errorf("%s was never given traffic: %s", release.ID, d.Headline)
	}
	if !t.noticed {
		if _, err := release.RollBack(ctx, "the benchmark does not wait any longer"); err != nil {
			return t, err
		}
	}
	if err := pause(ctx, lastAnswers); err != nil {
		return t, err
	}
	t.served = rig.Count(team.Traffic.Since(release.Shipped), func(a rig.Answer) bool {
		return a.Fault && (a.Failed() || a.Took > slow)
	})
	first := team.Route.When(release.Shipped, func(share float64) bool { return share > 0 })
	if first.IsZero() {
		return t, fmt.Errorf("%s was taken back, and no weight of it was seen", release.ID)
	}
	gone := team.Route.When(first, func(share float64) bool { return share == 0 })
	t.took, t.ship = gone.Sub(first), gone.Sub(release.Shipped)
	for _, w := range team.Route.Since(release.Shipped) {
		t.share = max(t.share, w.Canary())
	}
	t.reason, err = verdict(ctx, release)
	return t, err
}

// end waits for the release's end, or gives it up after a limit.
func end(ctx context.Context, release *rig.Release, limit time.Duration) (client.ReleaseDetail, error) {
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, err := release.End(waiting)
	if waiting.Err() != nil && ctx.Err() == nil {
		return release.Now(ctx)
	}
	return d, err
}

// verdict is the last that the judge said.
func verdict(ctx context.Context, release *rig.Release) (said string, err error) {
	events, err := release.Events(ctx)
	for _, e := range events {
		if strings.HasSuffix(e.Kind, ".verdict") {
			said = e.Text
		}
	}
	return said, err
}
