package judge

import (
	"math"
	"testing"
	"time"
)

var coldBounds = []float64{0.1, 0.25}

// coldSample is a sample of a canary without warm instances. Of its 1000 requests so
// many took over 100 ms, where 300 of stable's 10,000 did.
func coldSample(second int, slow int64) Sample {
	return Sample{
		At: testStart.Add(time.Duration(second) * time.Second), Weight: 0.1,
		Stable: Arm{Requests: 10000, Errors: 10, Instances: 10, WarmInstances: 10, Latency: Histogram{coldBounds, []int64{9700, 290, 10}}},
		Canary: Arm{
			Requests: 1000, Errors: 1, Instances: 10, Latency: Histogram{coldBounds, []int64{0, 0, 0}},
			Cold: Histogram{coldBounds, []int64{1000 - slow, slow, 0}}, ColdAge: float64(second) - 15,
		},
	}
}

// profile is that of four releases whose instances were three times as often slow in
// their first quarter of a minute, and half as often again in the second.
func profile() ColdStart {
	var c ColdStart
	for range 4 {
		c.Learn([]Sample{coldSample(15, 90), coldSample(30, 45)})
	}
	return c
}

func TestColdStartsAreLearnedByAge(t *testing.T) {
	c := profile()
	all := c.allowances(0.1)
	if len(all) != 2 || all[0].factor != 0 {
		t.Fatalf("three times as slow says nothing about a fault, but it counts: %+v", all)
	}
	if all[1].factor < 1.45 || all[1].factor > 1.55 || all[1].variance < 1/180.0 || all[1].variance > 0.02 {
		t.Errorf("half as slow again: %+v", all[1])
	}
	if c.allowances(0.25)[1].factor != 0 {
		t.Error("nothing was slower than 250 ms, and it is known all the same")
	}
	if c.allowances(0.2)[1].factor != 0 {
		t.Error("a bound that no histogram has is known")
	}
	for _, age := range []float64{-1, 0, 30, 1e9} {
		if a := all.at(age); a.factor != 0 {
			t.Errorf("at %v s: %+v", age, a)
		}
	}
}

func TestOtherBoundsAndBrokenSamplesTeachNothing(t *testing.T) {
	c := profile()
	before := c.Ages[1].Canary[0]
	other := coldSample(30, 45)
	other.Canary.Cold.Bounds = []float64{0.1, 0.3}
	broken := coldSample(30, 45)
	broken.Missing = "nothing"
	negative := coldSample(30, 45)
	negative.Canary.ColdAge = -20
	endless := coldSample(30, 45)
	endless.Canary.ColdAge = math.Inf(1)
	c.Learn([]Sample{other, broken, negative, endless})
	if c.Ages[1].Canary[0] != before || len(c.Ages) != 2 {
		t.Errorf("%+v", c)
	}
}

func coldJudge(c ColdStart) *Judge {
	s := DefaultSettings()
	cal := Calibrate(History{}, s, 700, 1)
	cal.Latency = []Threshold{{Bound: 0.1, Slope: 2, Noise: latencyPrior.noise(0.03, historyEvents)}}
	cal.ColdStart = c
	return New(s, cal, testStart)
}

func TestColdInstancesAreJudgedByWhatEarlierOnesDid(t *testing.T) {
	evidence := func(c ColdStart, slow int64) float64 {
		j := coldJudge(c)
		j.Observe(coldSample(15, 90))
		j.Observe(coldSample(30, slow))
		return j.Evidence()
	}
	like, worse, unknown := evidence(profile(), 45), evidence(profile(), 250), evidence(ColdStart{}, 250)
	if like > 1 {
		t.Errorf("as slow as earlier ones: evidence %v", like)
	}
	if worse < 3*like {
		t.Errorf("five times as slow as earlier ones: evidence %v", worse)
	}
	if unknown > 1 {
		t.Errorf("without earlier releases: evidence %v", unknown)
	}
}

// What is allowed for cold instances must not make a canary pass sooner.
func TestColdInstancesProveNothing(t *testing.T) {
	proof := func(c ColdStart) float64 {
		j := coldJudge(c)
		for i := range 8 {
			j.Observe(coldSample(15*(i%2+1), 0))
		}
		return j.state.Tracks[1].Proof.logEvidence()
	}
	if a, b := proof(profile()), proof(ColdStart{}); math.Abs(a-b) > 1e-9 {
		t.Errorf("proof %v with earlier releases, %v without", a, b)
	}
}
