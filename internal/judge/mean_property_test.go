package judge

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// boundMean is a mean with the default settings.
func boundMean(better Better) *mean {
	s := DefaultSettings()
	t := newMean()
	m := CustomMetric{Kind: MeanMetric, Better: better, Margin: MeanMargin(0.05)}
	t.bind(&s, m, Calibration{}.customNoise(m))
	t.CanaryInstances, t.StableInstances = 3, 6
	return t
}

func drawValues(t *rapid.T, label string) Counts {
	n := rapid.SampledFrom([]int64{0, 5, 31, 400}).Draw(t, label+" count")
	return values(n, rapid.Float64Range(1, 100).Draw(t, label+" mean"), rapid.Float64Range(0, 80).Draw(t, label+" deviation"))
}

func TestSplittingASampleOfAMeanChangesNoEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		better := rapid.SampledFrom([]Better{LowerIsBetter, HigherIsBetter}).Draw(t, "better")
		whole, halves := boundMean(better), boundMean(better)
		first := &CustomSample{Canary: values(1, 40, 0), Stable: values(1, 40, 0)}
		whole.fold(0, 1, first, 0.5)
		halves.fold(0, 1, first, 0.5)
		for i := range rapid.IntRange(1, 20).Draw(t, "samples") {
			from, to := float64(1+15*i), float64(16+15*i)
			a := CustomSample{Canary: drawValues(t, "canary"), Stable: drawValues(t, "stable")}
			b := CustomSample{Canary: drawValues(t, "canary"), Stable: drawValues(t, "stable")}
			both := CustomSample{Canary: summed(a.Canary, b.Canary), Stable: summed(a.Stable, b.Stable)}
			whole.fold(from, to, &both, 0.5)
			halves.fold(from, from+7, &a, 0.5)
			halves.fold(from+7, to, &b, 0.5)
			// The first half alone may have ended a block that the whole did not.
			if whole.InBlock != halves.InBlock || whole.BlockStart != halves.BlockStart {
				return
			}
			x, y := whole.Harm.evidence(), halves.Harm.evidence()
			if math.Abs(x-y) > 1e-6*math.Max(x, y) || math.Abs(whole.Proof.logEvidence()-halves.Proof.logEvidence()) > 1e-6 {
				t.Fatalf("sample %d: evidence %v in one, %v in two", i, x, y)
			}
		}
	})
}

func summed(a, b Counts) Counts {
	return Counts{All: a.All + b.All, Bad: a.Bad + b.Bad, Sum: a.Sum + b.Sum, Squares: a.Squares + b.Squares}
}

func TestAWorseMeanNeverHelps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		better := rapid.SampledFrom([]Better{LowerIsBetter, HigherIsBetter}).Draw(t, "better")
		one, two := boundMean(better), boundMean(better)
		stable := values(200, 40, 30)
		level := rapid.Float64Range(10, 100).Draw(t, "level")
		worse := level * rapid.Float64Range(1, 3).Draw(t, "worse")
		if better == HigherIsBetter {
			worse = level * level / worse
		}
		spread := rapid.Float64Range(0, 1).Draw(t, "relative deviation")
		one.fold(0, 30, &CustomSample{Canary: values(100, level, spread*level), Stable: stable}, 0.5)
		two.fold(0, 30, &CustomSample{Canary: values(100, worse, spread*worse), Stable: stable}, 0.5)
		if a, b := one.Harm.evidence(), two.Harm.evidence(); b < a*(1-1e-9) {
			t.Errorf("the evidence of harm fell from %v to %v", a, b)
		}
		if a, b := one.Proof.logEvidence(), two.Proof.logEvidence(); b > a+1e-9 {
			t.Errorf("the proof rose from %v to %v", a, b)
		}
	})
}

func TestABlockOfFewValuesGainsNothingAndGoesOn(t *testing.T) {
	m := boundMean(LowerIsBetter)
	for i := range 9 {
		m.fold(60*float64(i), 60*float64(i+1), &CustomSample{Canary: values(3, 400, 1), Stable: values(50, 40, 1)}, 0.5)
		if e := m.Harm.evidence(); math.Abs(e-1) > 1e-12 || m.BlockStart != 0 {
			t.Fatalf("after %d values the evidence is %v, and the block began at %v", 3*(i+1), e, m.BlockStart)
		}
	}
	m.fold(540, 600, &CustomSample{Canary: values(3, 400, 1), Stable: values(50, 40, 1)}, 0.5)
	if e := m.Harm.evidence(); e < 2 || m.InBlock {
		t.Errorf("with 30 values the evidence is %v", e)
	}
	m.fold(600, 615, &CustomSample{Canary: values(3, 400, 1), Stable: values(50, 40, 1)}, 0.5)
	m.fold(615, 630, &CustomSample{Canary: values(3, 400, 1), Stable: values(50, 40, 1)}, 0.25)
	if m.BlockStart != 615 || m.Block.Canary.N != 3 {
		t.Errorf("the block was carried over a change of the weight: it began at %v with %v values", m.BlockStart, m.Block.Canary.N)
	}
}
