package judge

import (
	"math"
	"strings"
	"testing"
	"time"
)

// arms is a sample with the given errors.
func arms(at time.Time, weight float64, stable, stableBad, canary, canaryBad int64) Sample {
	return Sample{
		At: at, Weight: weight,
		Stable: Arm{Requests: stable, Errors: stableBad, Instances: 4},
		Canary: Arm{Requests: canary, Errors: canaryBad, Instances: 3},
	}
}

func TestAHealthyCanaryGrowsByTheFactorToTheMiddle(t *testing.T) {
	s := DefaultSettings()
	z := NewSizing(s, Calibrate(History{}, s, 200, 1), testStart)
	var weights []float64
	collecting := Verdict{Kind: Hold, Reason: Collecting, Evidence: 0.5}
	for i := range 80 {
		at := testStart.Add(time.Duration(i+1) * 15 * time.Second)
		canary := int64(3000 * z.Weight)
		z.Observe(arms(at, z.Weight, 3000-canary, 6, canary, canary/500))
		if p := z.Next(at, collecting); !p.Hold {
			weights = append(weights, p.Weight)
			if i%3 != 2 && p.Weight < s.Middle {
				t.Errorf("grew after less than 45 s, at sample %d", i)
			}
		}
	}
	last := s.FirstWeight(200)
	for _, w := range weights {
		if w > s.Growth.Factor*last+1e-12 || w <= last {
			t.Errorf("grew from %v to %v", last, w)
		}
		last = w
	}
	if last != s.Middle {
		t.Errorf("ended at %v", last)
	}
}

func TestTheGrowthStops(t *testing.T) {
	s := DefaultSettings()
	late := testStart.Add(time.Hour)
	for _, v := range []struct {
		name    string
		verdict Verdict
		bad     int64
		weight  float64
		reason  string
	}{
		{"healthy", Verdict{Kind: Hold, Reason: Collecting}, 0, 0.03, "factor"},
		{"with many bad requests", Verdict{Kind: Hold, Reason: Collecting}, 300, 0.01, "allows no more"},
		{"suspicious", Verdict{Kind: Hold, Reason: Suspicious, Evidence: 3}, 8, 0.01, "suspicious"},
		{"with strong evidence", Verdict{Kind: Hold, Reason: Suspicious, Evidence: 25}, 0, 0.01, "too strong"},
		{"without evidence", Verdict{Kind: Hold, Reason: NoEvidence, Detail: "down"}, 0, 0.01, "down"},
		{"undecided", Verdict{Kind: Hold, Reason: Undecided}, 0, 0.01, "undecided"},
		{"failed", Verdict{Kind: Fail, Reason: Worse}, 0, 0, "worse"},
		{"passed", Verdict{Kind: Pass}, 0, 0.01, "passed"},
	} {
		z := NewSizing(s, Calibrate(History{}, s, 200, 1), testStart)
		z.Moved(0.01, testStart)
		z.Observe(arms(testStart.Add(5*time.Minute), 0.01, 59400, 120, 600, v.bad))
		if p := z.Next(late, v.verdict); p.Weight != v.weight || !strings.Contains(p.Reason, v.reason) {
			t.Errorf("%s: the proposal is %+v, want %v", v.name, p, v.weight)
		}
	}
}

func TestTheUpperBoundOfARate(t *testing.T) {
	near(t, "without bad requests", upperRate(0, 100, 3), 0.03)
	// 10·ln(10/x) − 10 + x = 3 at x = 19.5…
	x := upperRate(10, 1000, 3)
	if x < 0.019 || x > 0.0201 {
		t.Errorf("the bound for 10 in 1000 is %v", x)
	}
	if upperRate(5, 0, 3) != 1 || upperRate(900, 900, 3) != 1 {
		t.Error("the bound must not pass 1")
	}
}

func TestSlowAnswersCountAgainstTheBudget(t *testing.T) {
	s := DefaultSettings()
	s.SlowerThan = 250 * time.Millisecond
	z := NewSizing(s, Calibrate(History{}, s, 200, 1), testStart)
	x := arms(testStart.Add(time.Second), 0.1, 900, 1, 100, 2)
	x.Canary.Latency = Histogram{Bounds: []float64{0.1, 0.25, 0.5}, Counts: []int64{50, 20, 20, 10}}
	z.Observe(x)
	if z.Bad.CanaryBad != 32 {
		t.Errorf("%v bad requests, want 2 errors and 30 slow answers", z.Bad.CanaryBad)
	}
}

func TestSlowAnswersOfYoungInstancesStopTheGrowthUntilTheyAreWarm(t *testing.T) {
	s := DefaultSettings()
	s.SlowerThan = 250 * time.Millisecond
	collecting := Verdict{Kind: Hold, Reason: Collecting}
	at := testStart
	z := NewSizing(s, Calibrate(History{}, s, 200, 1), at)
	z.Moved(0.01, at)
	bounds := []float64{0.1, 0.25, 0.5}
	observe := func(warm int, counts ...int64) Proposal {
		at = at.Add(time.Minute)
		x := arms(at, 0.01, 11880, 12, 120, 0)
		x.Stable.Latency = Histogram{Bounds: bounds, Counts: []int64{11880, 0, 0, 0}}
		x.Canary.WarmInstances = warm
		if counts != nil {
			x.Canary.Cold = Histogram{Bounds: bounds, Counts: counts}
		}
		z.Observe(x)
		return z.next(at, collecting)
	}
	if p := observe(0, 116, 2, 1, 1); p.Hold {
		t.Errorf("at two slow answers: %+v", p)
	}
	// Of the 20 bad requests of the budget, a quarter is used up.
	if p := observe(0, 100, 17, 2, 1); !p.Hold || !strings.Contains(p.Reason, "young instances answer slowly") {
		t.Errorf("at five slow answers: %+v", p)
	}
	if p := observe(0); !p.Hold {
		t.Errorf("without a request, and still cold: %+v", p)
	}
	if p := observe(3); p.Hold {
		t.Errorf("when all are warm: %+v", p)
	}
}

func TestASuspiciousCanaryGoesBackStepByStep(t *testing.T) {
	s := DefaultSettings()
	suspicious := Verdict{Kind: Hold, Reason: Suspicious, Evidence: 3}
	z := NewSizing(s, Calibrate(History{}, s, 200, 1), testStart)
	z.Moved(0.5, testStart)
	at := testStart.Add(s.Block / 2)
	z.Observe(arms(at, 0.5, 3000, 6, 3000, 36))
	if p := z.Next(at, suspicious); !p.Hold {
		t.Errorf("within a block: %+v", p)
	}
	for _, want := range []float64{0.5 / 3, 0.5 / 9, 0.05} {
		at = at.Add(s.Block)
		if p := z.Next(at, suspicious); math.Abs(p.Weight-want) > 1e-9 || !strings.Contains(p.Reason, "step back") {
			t.Errorf("it goes to %+v, want %v", p, want)
		}
	}
	if p := z.Next(at.Add(time.Hour), suspicious); !p.Hold {
		t.Errorf("below a tenth of the middle level: %+v", p)
	}
}

func TestASuspiciousCanaryStaysWhereGoingBackGainsNothing(t *testing.T) {
	s := DefaultSettings()
	late := testStart.Add(time.Hour)
	suspicious := Verdict{Kind: Hold, Reason: Suspicious, Evidence: 3}
	for name, c := range map[string]struct {
		bad      int64
		exposure float64
		possible Shares
	}{
		"so many fail that a decision is near":   {120, 0, nil},
		"the budget allows it even so":           {36, 1e6, nil},
		"there is no smaller weight but nothing": {36, 0, Shares{0.5}},
	} {
		s.Growth.Exposure = c.exposure
		z := NewSizing(s, Calibrate(History{}, s, 200, 1), testStart)
		z.Possible = c.possible
		z.Moved(0.5, testStart)
		z.Observe(arms(testStart.Add(s.Block), 0.5, 3000, 6, 3000, c.bad))
		if p := z.Next(late, suspicious); p.Weight != 0.5 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
