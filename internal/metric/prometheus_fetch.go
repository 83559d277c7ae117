package metric

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// armSeries is what the queries found of one arm.
type armSeries struct {
	armAsk
	requests, errors map[string]series
	latency          map[string]histogramSeries
}

// armSelector is the named query for one arm.
func (p *Prometheus) armSelector(name string, ask Ask, arm armAsk) (selector, bool) {
	s, ok := p.queries[name]
	return s.fill(ask.values(arm)), ok
}

// orBuckets lets the base name of a histogram stand for its native form and for
// its classic buckets.
func (s selector) orBuckets() selector {
	if s.name == "" || strings.HasSuffix(s.name, "_bucket") {
		return s
	}
	name := regexp.QuoteMeta(s.name)
	return selector{matchers: s.matchers}.and(matcher{"__name__", "=~", name + "|" + name + "_bucket"})
}

// longestReach bounds how far back a look reads. A longer gap is still counted
// in full, from the reading that the cursor holds.
const longestReach = 2 * time.Hour

// reach is how far back a look must read. Beyond the last look it goes a few
// scrapes, for those that arrived late. A first look reads as far as the ages of
// instances matter, and so far that an instance which was away for a moment is
// not taken for a new one later.
func (p *Prometheus) reach(before *promCursor, ask Ask, at time.Time, first bool) time.Duration {
	if first {
		return max(ask.WarmUp+4*p.Interval(), min(10*time.Minute, 60*p.Interval()))
	}
	return min(longestReach, at.Sub(time.UnixMilli(before.At))+4*p.Interval()+p.lag())
}

// fetch asks all queries for both arms at once, stable first in the result.
func (p *Prometheus) fetch(ctx context.Context, ask Ask, at time.Time, reach time.Duration) ([]armSeries, error) {
	g, ctx := errgroup.WithContext(ctx)
	seen := make([]armSeries, 2)
	for i, arm := range ask.arms() {
		seen[i].armAsk = arm
		g.Go(func() (err error) {
			seen[i].requests, err = p.counters(ctx, "requests", ask, arm, at, reach)
			return err
		})
		g.Go(func() (err error) {
			seen[i].errors, err = p.counters(ctx, "errors", ask, arm, at, reach)
			return err
		})
		g.Go(func() (err error) {
			seen[i].latency, err = p.histograms(ctx, ask, arm, at, reach)
			return err
		})
	}
	return seen, g.Wait()
}

func (p *Prometheus) counters(ctx context.Context, name string, ask Ask, arm armAsk, at time.Time, reach time.Duration) (map[string]series, error) {
	s, _ := p.armSelector(name, ask, arm)
	answer, err := p.api.samples(ctx, s, reach, at)
	var all map[string]series
	if err == nil {
		all, err = readCounters(answer, p.config.Instance, s)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s of the %s arm: %w", name, arm.arm, err)
	}
	return all, nil
}

func (p *Prometheus) histograms(ctx context.Context, ask Ask, arm armAsk, at time.Time, reach time.Duration) (map[string]histogramSeries, error) {
	s, ok := p.armSelector("histogram", ask, arm)
	if !ok {
		return nil, nil
	}
	answer, err := p.api.samples(ctx, s, reach, at)
	var all map[string]histogramSeries
	if err == nil {
		all, err = readHistograms(answer, p.config.Instance, p.config.Unit)
	}
	if err != nil {
		return nil, fmt.Errorf("the histogram of the %s arm: %w", arm.arm, err)
	}
	return all, nil
}
