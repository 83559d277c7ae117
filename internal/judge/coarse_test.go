package judge

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// beside are the shares of 1 to most instances beside so many others.
func beside(others, most int) Shares {
	var s Shares
	for i := 1; i <= most; i++ {
		s = append(s, float64(i)/float64(i+others))
	}
	return s
}

// ramp sizes a canary that behaves like stable, in samples of 15 s, and returns the
// weights that it had and the last proposal. seen is called before each move.
func ramp(z *Sizing, rate float64, minutes int, seen func(limit float64, p Proposal)) (weights []float64, last Proposal) {
	weights = []float64{z.Weight}
	for i := range 4 * minutes {
		at := testStart.Add(time.Duration(i+1) * 15 * time.Second)
		all := int64(15 * rate)
		canary := int64(math.Round(float64(all) * z.Weight))
		bad := func(n int64) int64 { return (n*int64(i+1)/500 - n*int64(i)/500) }
		z.Observe(arms(at, z.Weight, all-canary, bad(all-canary), canary, bad(canary)))
		limit := z.exposureLimit()
		if last = z.Next(at, Verdict{Kind: Hold, Reason: Collecting}); !last.Hold {
			seen(limit, last)
			weights = append(weights, last.Weight)
		}
	}
	return weights, last
}

func TestOnlyPossibleWeightsAreProposedAndNoneAboveTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := DefaultSettings()
		others := rapid.IntRange(1, 40).Draw(t, "stable instances")
		possible := beside(others, rapid.IntRange(1, others).Draw(t, "canary instances"))
		rate := math.Exp(rapid.Float64Range(3, 9).Draw(t, "log rate"))
		s.Growth.Exposure = rapid.SampledFrom([]float64{0, 1, 20, 1000}).Draw(t, "exposure")
		s.Growth.First = rapid.SampledFrom([]float64{0, 0.01, 0.3}).Draw(t, "first")
		z := NewSizing(s, Calibration{Errors: Noise{Rate: 0.002}, RequestRate: rate}, testStart)
		allowed := z.Weight
		first := z.Among(possible)
		if above := first.Weight > allowed+sameWeight; above != first.Warning || above && first.Weight != possible[0] {
			t.Fatalf("the first proposal is %+v where %v is allowed", first, allowed)
		}
		weights, _ := ramp(z, rate, 60, func(limit float64, p Proposal) {
			if p.Weight > limit+sameWeight {
				t.Fatalf("%v is proposed where the budget allows %v", p.Weight, limit)
			}
		})
		for i, w := range weights {
			if !slices.Contains(possible, w) || i > 0 && w <= weights[i-1] {
				t.Fatalf("the weights are %v of %v", weights, possible)
			}
		}
		if s.Growth.Exposure == 0 && weights[len(weights)-1] != z.Settings.Middle {
			t.Fatalf("a good canary ends at %v of %v", weights, possible)
		}
	})
}

// Whatever fine weights reach by creeping, coarse ones reach too, later.
func TestCoarseWeightsReachWhatFineOnesReach(t *testing.T) {
	for _, possible := range []Shares{{0.1, 0.5}, {0.02, 0.5}, {0.3}, {0.1, 0.3, 0.31, 0.32, 0.33}, beside(3, 3)} {
		s := DefaultSettings()
		s.Growth.Exposure = 3
		c := Calibration{Errors: Noise{Rate: 0.002}, RequestRate: 200}
		fine, coarse := NewSizing(s, c, testStart), NewSizing(s, c, testStart)
		coarse.Among(possible)
		free, _ := ramp(fine, 200, 60, func(float64, Proposal) {})
		held, _ := ramp(coarse, 200, 240, func(float64, Proposal) {})
		if want := possible.AtMost(free[len(free)-1]); held[len(held)-1] < want {
			t.Errorf("of %v it reached %v, and fine weights %v", possible, held, free)
		}
	}
}

func TestABudgetBetweenTwoWeightsIsSaid(t *testing.T) {
	s := DefaultSettings()
	s.Growth.Exposure = 1
	z := NewSizing(s, Calibration{Errors: Noise{Rate: 0.002}, RequestRate: 200}, testStart)
	if p := z.Among(Shares{0.1, 0.5}); !p.Warning || p.Reason != "the smallest possible weight is 10.0 %, more than the 0.017 % that the exposure budget allows" {
		t.Errorf("it begins with %+v", p)
	}
	weights, last := ramp(z, 200, 5, func(float64, Proposal) {})
	if len(weights) != 1 || !last.Hold || !strings.HasPrefix(last.Reason, "the next possible weight is 50.0 %, more than the ") {
		t.Errorf("after %v it says %q", weights, last.Reason)
	}
}

func TestTheFirstWeightOfAUserOrOfUnknownTrafficIsSaidToo(t *testing.T) {
	for first, want := range map[float64]string{0: "where the traffic is not known", 0.02: "should begin with"} {
		s := DefaultSettings()
		s.Growth.First = first
		if p := NewSizing(s, Calibration{}, testStart).Among(Shares{0.25}); !p.Warning || !strings.Contains(p.Reason, want) {
			t.Errorf("%+v", p)
		}
	}
}

func TestTheMiddleIsAPossibleWeight(t *testing.T) {
	s := DefaultSettings()
	for _, c := range []struct {
		possible Shares
		want     float64
	}{{nil, 0.5}, {Shares{0.25, 0.5}, 0.5}, {Shares{1. / 3, 2. / 3}, 1. / 3}, {Shares{0.6}, 0.6}} {
		if got := s.Among(c.possible).Middle; got != c.want {
			t.Errorf("of %v the middle is %v", c.possible, got)
		}
		if err := s.Among(c.possible).Validate(); err != nil {
			t.Error(err)
		}
	}
}

// The proof begins anew at the middle level, and the time there counts, where that is
// a possible weight below a half.
func TestAPassNeedsTheMiddleThatIsPossible(t *testing.T) {
	s := DefaultSettings().Among(Shares{0.1, 1. / 3})
	c := Calibration{Errors: Noise{Rate: 0.002, Events: 100}, RequestRate: 1000}
	for _, weight := range []float64{0.1, 1. / 3} {
		j := New(s, c, testStart)
		var v Verdict
		for i := range 200 {
			at := testStart.Add(time.Duration(i+1) * 15 * time.Second)
			canary := int64(15000 * weight)
			j.Observe(arms(at, weight, 15000-canary, (15000-canary)/500, canary, canary/500))
			if v = j.Verdict(at); v.Kind != Hold {
				break
			}
		}
		if passed := v.Kind == Pass; passed != (weight == s.Middle) || passed && v.AtMiddle < s.Dwell {
			t.Errorf("at %v it ended %s: %s", weight, v.Kind, v.Paragraph())
		}
	}
}

func TestSizingReadBackStaysCoarse(t *testing.T) {
	z := NewSizing(DefaultSettings(), Calibration{RequestRate: 200}, testStart)
	z.Among(beside(3, 3))
	var back Sizing
	if err := json.Unmarshal([]byte(asJSON(t, z)), &back); err != nil {
		t.Fatal(err)
	}
	if a, b := asJSON(t, z), asJSON(t, back); a != b || len(back.Possible) != 3 {
		t.Errorf("%s became %s", a, b)
	}
}
