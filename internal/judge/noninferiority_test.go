package judge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The ratio that counts for the proof is never above the true one, hardly falls short of
// the least over fewer bad requests, and does not rise with them.
func TestTheRatioOfTheProofIsTheLeastOfFewerBadRequests(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	between := func(low, high float64) float64 { return low * math.Pow(high/low, random.Float64()) }
	turned := 0
	for range 3000 {
		all, stable := math.Round(between(1, 1e6)), math.Round(between(1, 1e6))
		bad := math.Round(stable * between(1e-5, 0.3))
		noise := []float64{0, between(1e-4, 2)}[random.IntN(2)]
		null := hypothesis{ratio: []float64{1, 1.3}[random.IntN(2)], add: between(1e-4, 0.02), factor: 1}
		even := hypothesis{ratio: 1, factor: 1}
		e := &equals[random.IntN(len(equals))]
		at := func(canary float64) (counted, plain float64) {
			v := viewOf(tally{CanaryBad: canary, Canary: all, StableBad: bad, Stable: stable}, 0.002, noise)
			v.stable.collapse()
			c := v.compare(&null, &even)
			h := hypothesis{ratio: 1, factor: e.factor, logFactor: e.logFactor}
			return c.ratio(e), v.logProb(&h) - v.logProb(&null)
		}
		last, least := math.Inf(1), math.Inf(1)
		for canary := 0.0; canary <= all; canary = math.Max(canary+1, math.Floor(1.3*canary)) {
			counted, plain := at(canary)
			near := 1e-9 * (1 + canary + math.Abs(plain)) // of sums of large logarithms
			least = math.Min(least, plain)
			if counted > plain+near {
				t.Fatalf("%v of %v beside %v of %v: %v counts, though it is %v", canary, all, bad, stable, counted, plain)
			}
			if counted > last+0.05+near {
				t.Fatalf("%v of %v beside %v of %v: rises from %v to %v", canary, all, bad, stable, last, counted)
			}
			if plain > least+1 {
				turned++
			}
			last = counted
		}
	}
	if turned == 0 {
		t.Error("no ratio rose again: the test tries nothing")
	}
}

// Where stable had an incident and a busy canary not one error, every alternative is next
// to impossible. None may gain by that.
func TestASpotlessCanaryBesideAnIncidentIsNotWorse(t *testing.T) {
	s := DefaultSettings()
	j := New(s, Calibration{Errors: Noise{Rate: 0.05, Events: historyEvents, Tau2: 0.001}}, testStart)
	stable, canary := [][2]int64{{2000, 0}, {2000, 0}, {2400, 24}, {2000, 8}}, []int64{0, 0, 1, 10001}
	for i, x := range stable {
		j.Observe(Sample{
			At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: 0.5,
			Stable: Arm{Requests: x[0], Errors: x[1], Instances: 19},
			Canary: Arm{Requests: canary[i], Instances: 19, ErrorsBy: []InstanceErrors{}},
		})
	}
	if e := j.Evidence(); e > 1 {
		t.Errorf("evidence %v", e)
	}
}

// From enough events on the law of stable's rate is one gamma, which tells what the three
// parts tell.
func TestAKnownRateIsOneGamma(t *testing.T) {
	for _, bad := range []float64{enoughEvents, 60, 600} {
		all := bad / 0.002
		one := posteriorOf(0.002, bad, all)
		if one.n != 1 || one.weight[0] != 1 {
			t.Fatalf("%v events: %+v", bad, one)
		}
		if mean := bad / all; math.Abs(one.mean[0]/mean-1) > 0.02 || math.Abs(one.shape[0]/bad-1) > 0.2 {
			t.Errorf("%v events of %v: mean %v, shape %v", bad, all, one.mean[0], one.shape[0])
		}
	}
	if few := posteriorOf(0.002, enoughEvents-1, 1e4); few.n < 2 {
		t.Errorf("fewer events make one part: %+v", few)
	}
}
