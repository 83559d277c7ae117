package judge

import (
	"testing"
	"time"
)

// Cases that rank tests over windows have been reported to pass: where most windows tie,
// or harm is in a few of them, ranks say little. Counts say what happened. Each case is
// errors per window of a minute, of so many requests in each arm.
var classics = []struct {
	name     string
	requests int64
	canary   []int64
	stable   []int64
}{
	{"few errors against none", 100, []int64{0, 1, 2, 1, 0, 0}, make([]int64, 6)},
	{"seven times a hundred and three times one against ones", 1000,
		[]int64{100, 100, 100, 100, 100, 100, 100, 1, 1, 1}, []int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	// Shares of 4.8, 18, 8.9, 9.8 and 3.5 %.
	{"errors in half of the windows against none", 1000,
		[]int64{48, 0, 180, 0, 89, 0, 98, 0, 35, 0}, make([]int64, 10)},
	{"one window that is all wrong", 200, []int64{0, 0, 0, 0, 200, 0, 0, 0, 0, 0}, make([]int64, 10)},
	{"errors that only grow", 500, []int64{0, 0, 1, 2, 4, 7, 11, 16, 22, 29}, []int64{0, 1, 0, 0, 1, 0, 0, 1, 0, 0}},
	{"twice as many, in every window by a little", 5000,
		[]int64{10, 11, 10, 9, 10, 11, 10, 9, 10, 10, 11, 9}, []int64{5, 4, 5, 6, 5, 4, 5, 6, 5, 5, 4, 6}},
}

func TestWhatRankTestsMissIsNotPassed(t *testing.T) {
	for _, c := range classics {
		t.Run(c.name, func(t *testing.T) {
			s := DefaultSettings()
			j := New(s, Calibrate(History{}, s, float64(2*c.requests)/60, 1), testStart)
			at := testStart
			var v Verdict
			for i := range c.canary {
				at = at.Add(time.Minute)
				j.Observe(arms(at, 0.5, c.requests, c.stable[i], c.requests, c.canary[i]))
				if v = j.Verdict(at); v.Kind == Pass {
					t.Fatalf("after %d windows it passes: %s", i+1, v.Paragraph())
				}
			}
			t.Logf("%s (%s), evidence %.3g : 1", v.Kind, v.Reason, v.Evidence)
		})
	}
}

// The same windows without the canary's errors do pass, given time: the test can fail.
func TestWhatRankTestsPassIsPassed(t *testing.T) {
	for _, c := range classics {
		s := DefaultSettings()
		j := New(s, Calibrate(History{}, s, float64(2*c.requests)/60, 1), testStart)
		at := testStart
		passed := false
		for i := range 59 {
			at = at.Add(time.Minute)
			bad := c.stable[i%len(c.stable)]
			j.Observe(arms(at, 0.5, c.requests, bad, c.requests, bad))
			passed = passed || j.Verdict(at).Kind == Pass
		}
		if !passed && c.requests >= 500 {
			t.Errorf("%s: without its errors it does not pass within the hour", c.name)
		}
	}
}
