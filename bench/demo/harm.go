package main

import (
	"time"

	"github.com/fairwayhq/fairway/internal/load"
)

// Harm is counted by the users, in answers that name their version: never in what
// the router or the judge say of them.

// slowBounds are those above which answers are counted. slow is the one that the
// bar counts by: one answer in a hundred of the running version takes longer (1.03 %
// by its law), and eight in a hundred of a version that is twice as slow (8.2 %). It
// is far stricter than what the definition promises, the last of them.
var slowBounds = []time.Duration{60 * time.Millisecond, 80 * time.Millisecond, slow, 200 * time.Millisecond, 500 * time.Millisecond}

const slow = 100 * time.Millisecond

// count is what one version answered over a stretch.
type count struct {
	answers, failed int64
	slower          map[time.Duration]int64
}

func countOf(r load.Report, version string) count {
	v := r.Versions[version]
	c := count{answers: v.Requests, failed: v.Failed, slower: map[time.Duration]int64{}}
	for _, b := range slowBounds {
		c.slower[b] = v.Latency.Above(b)
	}
	return c
}

func (c count) since(before count) count {
	d := count{answers: c.answers - before.answers, failed: c.failed - before.failed, slower: map[time.Duration]int64{}}
	for b, n := range c.slower {
		d.slower[b] = n - before.slower[b]
	}
	return d
}

// badness is which of its answers were bad.
type badness func(count) int64

func failed(c count) int64 { return c.failed }

func slowerThan(bound time.Duration) badness {
	return func(c count) int64 { return c.slower[bound] }
}

// harm is how many more bad answers the canary gave than the running version would
// have given in its place, at the share of bad ones that it had at the same time. It
// may be a little below zero, where the canary was lucky.
func harm(canary, running count, bad badness) float64 {
	if running.answers == 0 {
		return float64(bad(canary))
	}
	usual := float64(bad(running)) / float64(running.answers)
	return float64(bad(canary)) - usual*float64(canary.answers)
}
