package world

import (
	"math"
	"testing"
	"time"
)

// totals lives through a scenario without noise from a time on.
func totals(f Scenario, weight float64, from, to time.Duration) (stable, canary Counts, harm, log float64) {
	w := New(busy, IID, f, 2)
	live(w, to, weight, 30, func(d *Done) {
		if w.Now() > from {
			stable.add(&d.Stable)
			canary.add(&d.Canary)
			harm += d.Harm
			log += d.LogRatio
		}
	})
	return stable, canary, harm, log
}

// above is the share of requests over a bound of the histogram.
func above(c Counts, bound int) float64 {
	n := int64(0)
	for _, v := range c.Latency[bound+1:] {
		n += v
	}
	return float64(n) / float64(c.Requests)
}

const halfSecond = 6 // the bucket that ends there

func TestFaultsAreWhatTheirNamesSay(t *testing.T) {
	for _, tc := range []struct {
		fault  Scenario
		errors float64
	}{{AA, 0.002}, {Errors3, 0.006}, {Errors05pp, 0.007}, {Errors5pp, 0.052}, {Errors100, 1}, {Immaterial, 0.0021}} {
		_, c, _, _ := totals(tc.fault, 0.2, 3*time.Minute, 13*time.Minute)
		near(t, tc.fault.Name+": the error rate", float64(c.Errors)/float64(c.Requests), tc.errors, 0.05)
	}
	s, c, _, _ := totals(Tail100, 0.2, 3*time.Minute, 13*time.Minute)
	// 1 % of stable takes longer than 323 ms, 1 % of the canary longer than 646 ms.
	sigma := busy.Spread + math.Log(2)/normal99
	near(t, "p99 +100 %: slow answers", above(c, halfSecond), survival(math.Log(500.0/80)/sigma), 0.03)
	if m, n := above(c, 3), above(s, 3); m < n-0.15 || m > n+0.15 {
		t.Errorf("p99 +100 %% moves the middle: %v of the canary take over 50 ms, %v of stable", m, n)
	}
}

func TestALeakBeginsAfterTwentyMinutes(t *testing.T) {
	s, c, harm, _ := totals(Leak, 0.2, 10*time.Minute, 20*time.Minute)
	near(t, "slow answers before", above(c, halfSecond), above(s, halfSecond), 0.1)
	if harm != 0 {
		t.Errorf("before it begins it does a harm of %v", harm)
	}
	s, c, _, _ = totals(Leak, 0.2, 50*time.Minute, 52*time.Minute)
	if above(c, halfSecond) < 5*above(s, halfSecond) {
		t.Errorf("half an hour later %v of the answers are slow, of stable's %v", above(c, halfSecond), above(s, halfSecond))
	}
}

func TestSaturationNeedsHalfOfTheTraffic(t *testing.T) {
	if _, _, harm, _ := totals(Saturation, 0.49, 0, 5*time.Minute); harm != 0 {
		t.Errorf("at 49 %% it does a harm of %v", harm)
	}
	_, c, _, _ := totals(Saturation, 0.5, 3*time.Minute, 8*time.Minute)
	near(t, "the error rate at 50 %", float64(c.Errors)/float64(c.Requests), 0.032, 0.05)
}

func TestHarmIsWhatTheFaultAdds(t *testing.T) {
	_, c, harm, _ := totals(Errors5pp, 0.2, 3*time.Minute, 13*time.Minute)
	// Of the slow answers some would have been bad anyway.
	near(t, "the harm", harm, float64(c.Requests)*0.05*(1-above(c, halfSecond)), 0.02)
	if _, _, harm, log := totals(AA, 0.2, 0, 10*time.Minute); harm != 0 || log != 0 {
		t.Errorf("a healthy canary has a harm of %v and a log ratio of %v", harm, log)
	}
}

func TestOnlyAFaultMakesTheOracleSure(t *testing.T) {
	for _, f := range []Scenario{Errors15, Errors05pp, Tail20, Leak, Saturation} {
		if _, _, _, log := totals(f, 0.5, 0, 30*time.Minute); log < math.Log(200) {
			t.Errorf("%s: after half an hour at 50 %% of 10,000/s the log ratio is %v", f.Name, log)
		}
	}
}

func TestHistoryIsOfTheSameService(t *testing.T) {
	for _, s := range Services {
		w := New(s, Real, AA, 4)
		h := w.History(120)
		if err := h.Validate(); err != nil || h.Minutes() != 120 {
			t.Fatalf("%s: %d minutes, %v", s.Name, h.Minutes(), err)
		}
		var n, bad float64
		for _, in := range h.Instances {
			for m := range in.Requests {
				n += float64(in.Requests[m])
				bad += float64(in.Errors[m])
			}
		}
		perInstance := n / float64(len(h.Instances)) / 7200
		near(t, s.Name+": requests per second and instance", perInstance, s.Rate/float64(s.Instances), 0.2)
		if s.Rate > 100 {
			near(t, s.Name+": errors", bad/n, s.Errors, 0.5)
		}
	}
}
