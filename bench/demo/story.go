package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// story is the part that repeats what `fairway demo` tells, with its settings: good
// and bad releases in turn.
type story struct {
	config
	users
	mu                                  sync.Mutex
	promote, rollback, route, badServed []float64
	falseRollbacks, missed              int64
}

func measureStory(ctx context.Context, c config) ([]bar.Bar, error) {
	r := &story{config: c}
	var err error
	r.users, err = c.run(ctx, course{name: "shop", definition: c.definition, version: "v1", lanes: c.lanes, releases: r.releases})
	if err != nil {
		return nil, err
	}
	r.print()
	return []bar.Bar{
		bar.AtMost("seconds_to_rollback", median(r.rollback), "s", 20),
		bar.AtMost("bad_served", median(r.badServed), "requests", 60),
		bar.AtMost("decision_to_route", slices.Max(append(r.route, 0)), "s", 1),
		bar.AtMost("bad_promoted", float64(r.missed), "releases", 0),
		bar.AtMost("seconds_to_promote", median(r.promote), "s", 90),
		bar.AtMost("false_rollbacks", float64(r.falseRollbacks), "releases", 0),
		bar.AtMost("failed_by_deploys", float64(r.failed), "requests", 0),
	}, nil
}

func (r *story) releases(ctx context.Context, l *lane, i int) error {
	good, bad := shareOf(r.config.good, r.lanes, i), shareOf(r.config.bad, r.lanes, i)
	for n := range max(good, bad) {
		if n < bad {
			if err := r.bad(ctx, l); err != nil {
				return err
			}
		}
		if n < good {
			if err := r.good(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// toItsEnd ships a version; a release of the story is over within minutes.
func toItsEnd(ctx context.Context, l *lane, version string) (client.ReleaseDetail, error) {
	d, err := l.ship(ctx, version, 8*time.Minute)
	if err == nil && !d.State.Final() {
		err = fmt.Errorf("%s %s did not end: %s", l.name, version, d.Headline)
	}
	return d, err
}

// good ships the good version, and takes it back when it is at home, so that each
// one is compared with the same first version.
func (r *story) good(ctx context.Context, l *lane) error {
	d, err := toItsEnd(ctx, l, "v2")
	if err != nil {
		return err
	}
	took := d.EndedAt.Sub(d.CreatedAt).Seconds()
	r.mu.Lock()
	fmt.Printf("%s: good v2 %s after %.1f s\n", l.name, d.State, took)
	if d.State == pipeline.RunSucceeded {
		r.promote = append(r.promote, took)
	} else {
		r.falseRollbacks++
	}
	r.mu.Unlock()
	if d.State != pipeline.RunSucceeded {
		return nil
	}
	return l.rollBack(ctx, d.ID, "the next one begins where this one did")
}

// bad ships the bad version and reads from the ledger when the traffic was back.
func (r *story) bad(ctx context.Context, l *lane) error {
	before := l.traffic.Report().Versions["v3"].Failed
	d, err := toItsEnd(ctx, l, "v3")
	if err != nil {
		return err
	}
	served := l.traffic.Report().Versions["v3"].Failed - before
	back, route, err := l.backAt(ctx, d)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("%s: bad v3 %s, traffic back after %.1f s, %d bad answers\n", l.name, d.State, back, served)
	if d.State != pipeline.RunRolledBack {
		r.missed++
		return nil
	}
	r.rollback, r.route, r.badServed = append(r.rollback, back), append(r.route, route), append(r.badServed, float64(served))
	return nil
}

func (l *lane) backAt(ctx context.Context, d client.ReleaseDetail) (back, route float64, err error) {
	page, err := l.api.Events(ctx, d.ID, 0, mostEvents)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range page.Items {
		if tookBack(e) {
			var data struct{ Seconds float64 }
			err := json.Unmarshal(e.Data, &data)
			return e.At.Sub(d.CreatedAt).Seconds(), data.Seconds, err
		}
	}
	return 0, 0, nil
}

// mostEvents is more than one release has.
const mostEvents = 500

func tookBack(e client.Event) bool { return e.Kind == "canary.back" || e.Kind == "watch.back" }

func (r *story) print() {
	row := func(what string, x []float64, unit string) {
		if len(x) == 0 {
			return
		}
		s := slices.Sorted(slices.Values(x))
		fmt.Printf("  %-32s n=%-3d min %-7.3g median %-7.3g max %-7.3g %s\n", what, len(s), s[0], median(x), s[len(s)-1], unit)
	}
	fmt.Println()
	row("bad: ship to traffic back", r.rollback, "s")
	row("bad: verdict to route", r.route, "s")
	row("bad: bad answers served", r.badServed, "requests")
	row("good: ship to promoted", r.promote, "s")
	fmt.Printf("  %-32s %d; requests in all: %d\n\n", "good: taken back by mistake", r.falseRollbacks, r.requests())
}
