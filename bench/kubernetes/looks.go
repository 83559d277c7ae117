package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// looks are those for drift that the server has made at a crowd since an instant.
type looks struct {
	crowd *rig.Crowd
	since time.Time
	// at are the times of the looks at each service.
	at map[string][]time.Time
	// drifted are the services in which the last look has found something, sorted.
	drifted []string
}

func newLooks(crowd *rig.Crowd, since time.Time) *looks {
	return &looks{crowd: crowd, since: since, at: map[string][]time.Time{}}
}

// untilAll notes looks until each of n services was looked at often enough.
func (l *looks) untilAll(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, lookedWithin)
	defer cancel()
	for l.least(n) < leastLooks {
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("of %d services %d were looked at, the least of all %d times: %w", n, len(l.at), l.least(n), err)
		}
		if err := l.note(ctx); err != nil {
			return err
		}
	}
	return nil
}

// until notes looks until the end is closed.
func (l *looks) until(ctx context.Context, end <-chan struct{}) error {
	tick := time.NewTicker(driftEvery / 10)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return l.note(ctx)
		case <-tick.C:
		}
		if err := l.note(ctx); err != nil {
			return err
		}
	}
}

// note reads what was last seen of each service. It is called often enough that no look is
// missed.
func (l *looks) note(ctx context.Context) error {
	seen, err := l.crowd.Drifts(ctx)
	if err != nil {
		return err
	}
	l.drifted = nil
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		d := seen[name]
		if known := l.at[name]; d.At.After(l.since) && (len(known) == 0 || d.At.After(known[len(known)-1])) {
			l.at[name] = append(known, d.At)
		}
		if len(d.Fields) > 0 {
			l.drifted = append(l.drifted, name)
		}
	}
	return nil
}

// least is how often the one of n services was looked at that was looked at least.
func (l *looks) least(n int) int {
	if n == 0 || len(l.at) < n {
		return 0
	}
	least := math.MaxInt
	for _, at := range l.at {
		least = min(least, len(at))
	}
	return least
}

// longest is the longest time from the first look of a round to its last. In each round
// every service is looked at once.
func (l *looks) longest() (took time.Duration) {
	for n := range l.least(len(l.at)) {
		var round []time.Time
		for _, at := range l.at {
			round = append(round, at[n])
		}
		took = max(took, slices.MaxFunc(round, time.Time.Compare).Sub(slices.MinFunc(round, time.Time.Compare)))
	}
	return took
}

// count is how many looks there were.
func (l *looks) count() (n int) {
	for _, at := range l.at {
		n += len(at)
	}
	return n
}
