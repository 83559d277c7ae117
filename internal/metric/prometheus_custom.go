package metric

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairwayhq/fairway/internal/judge"
)

// Custom metrics are read as requests and errors are, each with a place of its own in
// the cursor: one that there is nothing of, or that cannot be believed, stays where it
// was, and its counts come with its next good look. The others go on.

// customMark is where the last good look at a custom metric ended.
type customMark struct {
	At   int64                 `json:"at"` // milliseconds
	Arms map[string]*customArm `json:"arms"`
}

// customArm is what one arm stood at, by the key of the query.
type customArm struct {
	Tracks map[string]track `json:"tracks"`
	// Rest is what was counted but not yet handed out.
	Rest map[string]float64 `json:"rest,omitempty"`
}

// customSeen is what the queries of one metric found.
type customSeen struct {
	metric    CustomMetric
	selectors map[string]selector
	arms      []customArmSeen // stable first
}

type customArmSeen struct {
	armAsk
	series map[string]map[string]series // by the key of the query
}

// customQueries bounds how many queries are under way at once.
const customQueries = 8

// custom takes the samples of all custom metrics up to the instant, and their marks.
func (p *Prometheus) custom(ctx context.Context, ask Ask, before map[string]*customMark, at time.Time) ([]judge.CustomSample, map[string]*customMark) {
	if len(ask.Custom) == 0 {
		return nil, nil
	}
	samples := make([]judge.CustomSample, len(ask.Custom))
	marks := make([]*customMark, len(ask.Custom))
	var g errgroup.Group
	g.SetLimit(customQueries)
	for i, m := range ask.Custom {
		g.Go(func() error {
			samples[i], marks[i] = p.customSample(ctx, ask, m, before[m.Name], at)
			return nil
		})
	}
	_ = g.Wait() // what goes wrong stands in the samples
	after := map[string]*customMark{}
	for i, m := range ask.Custom {
		if marks[i] != nil {
			after[m.Name] = marks[i]
		}
	}
	return samples, after
}

// customSample looks at one metric. The mark that it returns is the one before where
// the look carries no evidence, nil where there is none.
func (p *Prometheus) customSample(ctx context.Context, ask Ask, m CustomMetric, before *customMark, at time.Time) (judge.CustomSample, *customMark) {
	missing := func(why string) judge.CustomSample { return judge.CustomSample{Name: m.Name, Missing: why} }
	if selectors, err := m.selectors(); err == nil {
		at = p.cut(at, selectors)
	}
	first := !before.knows(ask)
	since := int64(0)
	if !first {
		since = before.At
	}
	seen, err := p.fetchCustom(ctx, ask, m, at, p.reach(&promCursor{At: since}, ask, at, first))
	if err != nil {
		return missing(err.Error()), before
	}
	if why := seen.young(at.Add(-2 * p.Interval())); first && why != "" {
		return missing(why), nil
	}
	after, counted := before.advance(seen, since, at.UnixMilli())
	if first {
		return missing(firstLook), after
	}
	s := judge.CustomSample{Name: m.Name, Stable: counted[0], Canary: counted[1]}
	why, err := p.doubtCustom(ctx, seen, before, counted, at)
	if err != nil {
		why = err.Error()
	}
	if why != "" {
		return missing(why), before
	}
	return s, after
}

// knows tells whether the mark has both arms.
func (c *customMark) knows(ask Ask) bool {
	if c == nil {
		return false
	}
	for _, a := range ask.arms() {
		if c.Arms[a.revision] == nil {
			return false
		}
	}
	return true
}

func (p *Prometheus) fetchCustom(ctx context.Context, ask Ask, m CustomMetric, at time.Time, reach time.Duration) (customSeen, error) {
	selectors, err := m.selectors()
	if err != nil {
		return customSeen{}, err
	}
	seen := customSeen{metric: m, selectors: selectors}
	for _, q := range m.queries() {
		if why := ask.nameless(q.key, selectors[q.key], ask.arms()...); why != "" {
			return seen, errors.New(why)
		}
	}
	for _, arm := range ask.arms() {
		found := customArmSeen{arm, map[string]map[string]series{}}
		for _, q := range m.queries() {
			answer, err := p.api.samples(ctx, seen.selectors[q.key].fill(ask.values(arm)), reach, at)
			if err == nil {
				found.series[q.key], err = readCounters(answer, p.config.Instance, selectors[q.key])
			}
			if err != nil {
				return seen, fmt.Errorf("the query %s of the %s arm: %w", q.key, arm.arm, err)
			}
		}
		seen.arms = append(seen.arms, found)
	}
	return seen, nil
}

// advance returns the mark after a look, and what each arm did since the one before.
func (c *customMark) advance(seen customSeen, since, at int64) (*customMark, []judge.Counts) {
	after := &customMark{At: at, Arms: map[string]*customArm{}}
	var counted []judge.Counts
	for _, a := range seen.arms {
		arm := &customArm{Tracks: map[string]track{}, Rest: map[string]float64{}}
		was := &customArm{}
		if c != nil && c.Arms[a.revision] != nil {
			was = c.Arms[a.revision]
		}
		grown := map[string]float64{}
		for key, found := range a.series {
			arm.Tracks[key] = copyTrack(was.Tracks[key])
			grown[key] = sum(armLook{since: since}.count(arm.Tracks[key], found))
			arm.Tracks[key].prune(at)
		}
		after.Arms[a.revision] = arm
		counted = append(counted, arm.counts(seen.metric, was.Rest, grown))
	}
	return after, counted
}

// counts are what the counters grew by, in whole events. Sums are handed out as they are.
func (a *customArm) counts(m CustomMetric, rest, grown map[string]float64) judge.Counts {
	whole := func(key string) (n int64) {
		n, left := handOut(rest[key] + grown[key])
		if left != 0 {
			a.Rest[key] = left
		}
		return n
	}
	if m.kind() == judge.MeanMetric {
		return judge.Counts{All: whole("count"), Sum: grown["sum"], Squares: grown["squares"]}
	}
	c := judge.Counts{All: whole("of")}
	if m.Good != "" {
		c.Bad = c.All - whole("good")
	} else {
		c.Bad = whole("bad")
	}
	return c
}

// prune forgets series that are long gone.
func (t track) prune(at int64) {
	for key, r := range t {
		if r.t < at-forget.Milliseconds() {
			delete(t, key)
		}
	}
}
