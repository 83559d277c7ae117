package main

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
)

// hour is a server that has so much memory, and per hour so much more: all of it, and its own.
func hour(all, own float64) (m memory) {
	for at := time.Duration(0); at < time.Hour; at += sampleEvery {
		m.add(at, fleet.Memory{Resident: 100 + all*at.Hours(), Own: 40 + own*at.Hours()})
	}
	return m
}

func TestWhatTheSystemDropsDoesNotHideAServerThatGrows(t *testing.T) {
	for _, c := range []struct{ all, own, want float64 }{{-17, 3, 3}, {-17, -2, -2}, {5, 0, 5}} {
		s := seen{servers: []memory{hour(-20, -20), hour(c.all, c.own)}}
		if got := s.growth(); got < c.want-0.01 || got > c.want+0.01 {
			t.Errorf("grows by %.2f with %.0f resident and %.0f of its own", got, c.all, c.own)
		}
	}
}

func TestReleasesThatNobodyTicksMeetNoBar(t *testing.T) {
	c := config{releases: 10_000, every: 10 * time.Second}
	s := seen{lasted: time.Hour, servers: []memory{hour(0, 0), hour(0, 0)}, written: map[string]int{"tasks": 5}}
	for _, w := range []struct {
		ticks ticks
		ok    bool
	}{
		{ticks{All: 3_590_000, Took: time.Hour}, true},
		{ticks{All: 3_400_000, Took: time.Hour}, false},
		{ticks{Took: time.Hour}, false},
		{ticks{}, false},
	} {
		for _, b := range bars(c, s, w.ticks) {
			if b.OK != w.ok {
				t.Errorf("%+v: %+v", w.ticks, b)
			}
		}
	}
}

func TestBarsAboutMemoryAreOfManyReleasesForLong(t *testing.T) {
	s := seen{servers: []memory{hour(0, 0), hour(0, 0)}}
	for _, w := range []struct {
		releases int
		lasted   time.Duration
		ok       bool
	}{{10_000, 30 * time.Minute, true}, {10_000, 4 * time.Minute, false}, {100, time.Hour, false}} {
		s.lasted = w.lasted
		c := config{releases: w.releases, every: 10 * time.Second}
		for _, b := range bars(c, s, ticks{All: w.releases * int(w.lasted/c.every), Took: w.lasted})[:2] {
			if b.OK != w.ok {
				t.Errorf("%+v: %+v", w, b)
			}
		}
	}
}
