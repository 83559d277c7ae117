package main

import (
	"math"
	"testing"
	"time"
)

func TestHarmIsWhatTheRunningVersionWouldNotHaveDone(t *testing.T) {
	running := count{answers: 10_000, failed: 20, slower: map[time.Duration]int64{slow: 100}}
	canary := count{answers: 500, failed: 11, slower: map[time.Duration]int64{slow: 45}}
	for _, c := range []struct {
		what            string
		canary, running count
		bad             badness
		want            float64
	}{
		{"failures beyond the usual ones", canary, running, failed, 10},
		{"slow answers beyond the usual ones", canary, running, slowerThan(slow), 40},
		{"a canary that is better", count{answers: 500}, running, failed, -1},
		{"a canary without traffic", count{}, running, failed, 0},
		{"nothing to compare with", canary, count{}, failed, 11},
	} {
		if got := harm(c.canary, c.running, c.bad); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, not %v", c.what, got, c.want)
		}
	}
}

func TestOnlyWhatHappenedMeanwhileCounts(t *testing.T) {
	before := count{answers: 100, failed: 3, slower: map[time.Duration]int64{slow: 7}}
	after := count{answers: 150, failed: 4, slower: map[time.Duration]int64{slow: 9}}
	if c := after.since(before); c.answers != 50 || c.failed != 1 || c.slower[slow] != 2 {
		t.Errorf("it is %+v", c)
	}
}
