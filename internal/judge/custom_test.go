package judge

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// customSettings have a ratio and a mean beside errors and latency.
func customSettings() Settings {
	s := DefaultSettings()
	s.Custom = []CustomMetric{
		{Name: "checkout-failures", Kind: RatioMetric, Better: LowerIsBetter, Margin: RateMargin(0.005), Share: 0.1},
		{Name: "order-value", Kind: MeanMetric, Better: HigherIsBetter, Margin: MeanMargin(0.05), Share: 0.1},
	}
	return s
}

// values are n values with a mean and a standard deviation.
func values(n int64, mean, deviation float64) Counts {
	return Counts{All: n, Sum: float64(n) * mean, Squares: float64(n) * (mean*mean + deviation*deviation)}
}

// customSample is a healthy quarter of a minute at half of the traffic.
func customSample(i int) Sample {
	arm := Arm{Requests: 3000, Errors: 6, Instances: 5, WarmInstances: 5}
	return Sample{
		At: testStart.Add(time.Duration(i) * 15 * time.Second), Weight: 0.5, Stable: arm, Canary: arm,
		Custom: []CustomSample{
			{Name: "checkout-failures", Stable: Counts{All: 800, Bad: 8}, Canary: Counts{All: 800, Bad: 8}},
			{Name: "order-value", Stable: values(600, 45, 30), Canary: values(600, 45, 30)},
		},
	}
}

func newCustom() *Judge {
	s := customSettings()
	return New(s, Calibrate(History{}, s, 400, 1), testStart)
}

// play observes so many samples, each changed first, and decides after each.
func play(j *Judge, samples int, change func(*Sample)) Verdict {
	var v Verdict
	for i := range samples {
		s := customSample(i + 1)
		change(&s)
		j.Observe(s)
		v = j.Verdict(s.At)
		if v.Kind != Hold {
			break
		}
	}
	return v
}

func TestCustomMetricsShareTheOneBudget(t *testing.T) {
	sum := func(j *Judge) (capital float64) {
		for _, m := range j.Verdict(testStart).Metrics {
			capital += m.Share
		}
		return capital
	}
	j := newCustom()
	if e := j.Evidence(); math.Abs(e-1) > 1e-12 || math.Abs(sum(j)-1) > 1e-12 {
		t.Errorf("it begins with the evidence %v and the capital %v", e, sum(j))
	}
	s := customSettings()
	c := Calibrate(History{}, s, 400, 1)
	c.Latency = []Threshold{{Bound: 0.1, Slope: 2, Noise: latencyPrior.noise(0.1, 1)}, {Bound: 0.3, Slope: 4, Noise: latencyPrior.noise(0.01, 1)}}
	j = New(s, c, testStart)
	shares := map[string]float64{}
	for _, m := range j.Verdict(testStart).Metrics {
		shares[m.Name] = m.Share
	}
	for name, want := range map[string]float64{
		"errors": 0.8 * 0.5, "latency > 100ms": 0.8 * 0.25, "latency > 300ms": 0.8 * 0.25, "checkout-failures": 0.1, "order-value": 0.1,
	} {
		near(t, "the share of "+name, shares[name], want)
	}
}

func TestAReleaseWithHealthyCustomMetricsPasses(t *testing.T) {
	v := play(newCustom(), 240, func(*Sample) {})
	if v.Kind != Pass {
		t.Fatalf("%s", v.Paragraph())
	}
	if want := "checkout failures 1.00 % against 1.00 %, order value 45.0 against 45.0"; !strings.Contains(v.Sentence(), want) {
		t.Errorf("the sentence lacks %q: %s", want, v.Sentence())
	}
}

func TestACustomMetricTakesAReleaseBack(t *testing.T) {
	for name, change := range map[string]func(*Sample){
		"checkout failures 4.00 % against 1.00 %": func(s *Sample) { s.Custom[0].Canary.Bad = 32 },
		"order value 36.0 against 45.0":           func(s *Sample) { s.Custom[1].Canary = values(600, 36, 30) },
		"order value 0.0 against 45.0":            func(s *Sample) { s.Custom[1].Canary = Counts{All: 600} },
	} {
		v := play(newCustom(), 240, change)
		if v.Kind != Fail || !strings.Contains(v.Sentence(), name) {
			t.Errorf("%s: %s\n%s", name, v.Sentence(), v.Paragraph())
		}
	}
}

func TestMoreValueNeverTakesAReleaseBack(t *testing.T) {
	if v := play(newCustom(), 240, func(s *Sample) { s.Custom[1].Canary = values(600, 60, 40) }); v.Kind != Pass {
		t.Errorf("%s", v.Paragraph())
	}
}

func TestAPassWaitsForEveryCustomMetric(t *testing.T) {
	for name, change := range map[string]func(*Sample){
		"the source is not asked": func(s *Sample) { s.Custom = s.Custom[:1] },
		"it has nothing": func(s *Sample) {
			s.Custom[1] = CustomSample{Name: "order-value", Missing: "there is nothing of the canary arm"}
		},
		"a counter is another": func(s *Sample) {
			s.Custom[1].Canary.Squares /= 1000
		},
		"few values": func(s *Sample) { s.Custom[1].Canary = Counts{} },
	} {
		v := play(newCustom(), 236, change)
		if v.Kind != Hold || v.Reason != Collecting || !strings.Contains(v.Detail, "order value") {
			t.Errorf("%s: %s (%s) %s", name, v.Kind, v.Reason, v.Detail)
		}
		if v := play(newCustom(), 241, change); v.Kind != Hold || v.Reason != NoEvidence || !strings.Contains(v.Detail, "order value") {
			t.Errorf("%s, at the end: %s (%s) %s", name, v.Kind, v.Reason, v.Detail)
		}
	}
}

func TestAPassWaitsForACustomMetricThatIsGone(t *testing.T) {
	whole := 0
	for whole = 1; play(newCustom(), whole, func(*Sample) {}).Kind == Hold; whole++ {
		continue
	}
	n := 0
	v := play(newCustom(), whole, func(s *Sample) {
		if n++; n == whole {
			s.Custom[0] = CustomSample{Name: "checkout-failures", Missing: "it is gone"}
		}
	})
	if v.Kind != Hold || v.Detail == "" {
		t.Errorf("%s (%s) %s", v.Kind, v.Reason, v.Detail)
	}
}

func TestAMissingCustomMetricHidesNoErrors(t *testing.T) {
	v := play(newCustom(), 240, func(s *Sample) { s.Custom, s.Canary.Errors = nil, 60 })
	if v.Kind != Fail || !strings.Contains(v.Sentence(), "errors 2.00 % against 0.20 %") {
		t.Errorf("%s", v.Paragraph())
	}
}

func TestAMissingCustomSampleChangesNoEvidence(t *testing.T) {
	plain, gappy := newCustom(), newCustom()
	for i := range 40 {
		s := customSample(i + 1)
		plain.Observe(s)
		gap := s
		gap.Custom = []CustomSample{{Name: "order-value", Missing: "a gap", Canary: Counts{All: 5}}}
		gap.At, gap.Stable, gap.Canary = s.At.Add(-5*time.Second), Arm{}, Arm{}
		gappy.Observe(gap)
		gappy.Observe(s)
		for k, m := range plain.Verdict(s.At).Metrics[1:] {
			if o := gappy.Verdict(s.At).Metrics[k+1]; math.Abs(m.Evidence-o.Evidence) > 1e-9*m.Evidence || math.Abs(m.Proof-o.Proof) > 1e-9 {
				t.Fatalf("sample %d: %+v became %+v", i, m, o)
			}
		}
	}
}

func TestAWatchWaitsForItsCustomMetrics(t *testing.T) {
	s := customSettings()
	s.Watch = 5 * time.Minute
	for _, c := range []struct {
		name   string
		change func(*Sample)
		kind   Kind
		reason Reason
	}{
		{"all there", func(*Sample) {}, Pass, NotWorse},
		{"one missing", func(s *Sample) { s.Custom = s.Custom[1:] }, Hold, NoEvidence},
		{"one worse", func(s *Sample) { s.Custom[1].Canary = values(600, 33, 30) }, Fail, Worse},
	} {
		v := play(New(s, Calibrate(History{}, s, 400, 1), testStart), 40, c.change)
		if v.Kind != c.kind || v.Reason != c.reason {
			t.Errorf("%s: %s (%s) %s", c.name, v.Kind, v.Reason, v.Detail)
		}
	}
}

func TestAJudgeWithCustomMetricsReadBackGoesOnExactly(t *testing.T) {
	one, two := newCustom(), newCustom()
	for i := range 30 {
		var back Judge
		if err := json.Unmarshal([]byte(asJSON(t, two)), &back); err != nil {
			t.Fatal(err)
		}
		two = &back
		s := customSample(i + 1)
		s.Custom[1].Canary = values(7*int64(i%3), 44, 20)
		one.Observe(s)
		two.Observe(s)
		if a, b := asJSON(t, one), asJSON(t, two); a != b {
			t.Fatalf("sample %d: the states differ:\n%s\n%s", i, a, b)
		}
	}
	for _, c := range []struct{ from, to string }{
		{`"custom":[{"name":"checkout-failures","capital"`, `"custom":[{"name":"other","capital"`},
		{`"mean":{`, `"meen":{`},
	} {
		broken := strings.Replace(asJSON(t, one), c.from, c.to, 1)
		var back Judge
		if err := json.Unmarshal([]byte(broken), &back); err == nil || broken == asJSON(t, one) {
			t.Errorf("a state with %s was read: %v", c.to, err)
		}
	}
}

func TestTheWatchBeginsWithTheRatesOfTheCanary(t *testing.T) {
	j := newCustom()
	play(j, 20, func(*Sample) {})
	for _, n := range j.Calibration().Custom {
		if n.Name == "checkout-failures" && math.Abs(n.Noise.Rate-0.01) > 1e-4 {
			t.Errorf("the rate handed on is %v", n.Noise.Rate)
		}
	}
}

func TestCustomMetricsDoNotAllocate(t *testing.T) {
	j := newCustom()
	s := customSample(0)
	step := func() {
		s.At = s.At.Add(time.Second)
		j.Observe(s)
		j.Decide(s.At)
	}
	for range 100 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n > 0 {
		t.Errorf("%v allocations per sample", n)
	}
}

func TestFaultsOfCustomMetricsAreReported(t *testing.T) {
	for want, change := range map[string]func(*CustomMetric){
		"a name of its own": func(m *CustomMetric) { m.Name = "order-value" },
		"neither a ratio":   func(m *CustomMetric) { m.Better = HigherIsBetter },
		"the share":         func(m *CustomMetric) { m.Share = 0 },
		"add up":            func(m *CustomMetric) { m.Share = 0.95 },
		"the margins":       func(m *CustomMetric) { m.Margin.Promotion.Add = math.NaN() },
	} {
		s := customSettings()
		change(&s.Custom[0])
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a fault in %q gave %v", want, err)
		}
	}
	s := customSettings()
	s.Custom[1].Margin = MeanMargin(1)
	if err := s.Validate(); err == nil {
		t.Error("a fall by everything was taken for a margin")
	}
}

func FuzzCustomMetrics(f *testing.F) {
	f.Add(int64(100), int64(3), 4000.0, 200000.0, int64(100), 4000.0, 200000.0, 0.5, int64(15e9))
	f.Add(int64(100), int64(0), 100.0, 100.0, int64(100), 100.0, 100.0, 0.5, int64(60e9)) // no variance
	f.Add(int64(50), int64(50), -3.0, 9.0, int64(0), 0.0, 0.0, 1.0, int64(-5))
	f.Add(int64(1)<<50, int64(1), 1e119, 1e120, int64(40), 1e-320, 1e-300, 0.01, int64(1)<<60)
	f.Add(int64(40), int64(1), 0.0, 0.0, int64(40), math.Inf(1), math.NaN(), 0.3, int64(60e9))
	f.Fuzz(func(t *testing.T, n, bad int64, sum, squares float64, m int64, stableSum, stableSquares, weight float64, gap int64) {
		j := newCustom()
		at := testStart
		for i := range 8 {
			at = at.Add(time.Duration(gap))
			s := customSample(i)
			s.At, s.Weight = at, weight
			s.Custom[0].Canary, s.Custom[0].Stable = Counts{All: n, Bad: bad}, Counts{All: m, Bad: bad / 2}
			s.Custom[1].Canary = Counts{All: n, Sum: sum, Squares: squares}
			s.Custom[1].Stable = Counts{All: m, Sum: stableSum, Squares: stableSquares}
			j.Observe(s)
			v := j.Verdict(at)
			if _, err := json.Marshal(v); err != nil {
				t.Fatalf("the verdict has an impossible number: %v", err)
			}
			if _, err := json.Marshal(j); err != nil {
				t.Fatalf("the state has an impossible number: %v", err)
			}
			if e := j.Evidence(); !(e >= 0) {
				t.Fatalf("the evidence is %v", e)
			}
			if v.Sentence() == "" || v.Paragraph() == "" || strings.Contains(v.Paragraph(), "NaN") {
				t.Fatalf("the verdict's words are %q", v.Paragraph())
			}
		}
	})
}
