package judge

import (
	"math"
	"testing"
	"time"
)

// These figures come from an independent implementation of the same method.

func testTrack(tau2, sigma2 float64) *track {
	s := DefaultSettings()
	s.Errors = ErrorMargin(0.0005) // that of the vectors
	c := Calibration{Errors: Noise{Rate: 0.002, Events: historyEvents, Tau2: tau2, Sigma2: sigma2}}
	t := errorTrack(&s, &c)
	t.rules.effects = append([]effect(nil), errorEffects...)
	for i := range t.rules.effects {
		e := &t.rules.effects[i] // as they are in the vectors
		e.vague, e.catastrophe = 0, math.Min(e.catastrophe, 1e-9)
	}
	return t
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 6e-6*math.Abs(want) {
		t.Errorf("%s is %.7g, want %.7g", what, got, want)
	}
}

func counts(canaryBad, canary, stableBad, stable float64) tally {
	return tally{CanaryBad: canaryBad, Canary: canary, StableBad: stableBad, Stable: stable}
}

func TestOneEvaluationMatchesTheVectors(t *testing.T) {
	for _, v := range []struct {
		counts         tally
		canary, stable int
		harm, proof    float64
	}{
		{counts(0, 60, 3, 1500), 1, 3, 0.738314, 0.0678158},
		{counts(6, 60, 3, 1500), 1, 3, 1666.76, -1.9313},
		{counts(18, 6000, 12, 6000), 5, 10, 0.623909, -0.704818},
		{counts(36, 6000, 12, 6000), 5, 10, 2.27275, -2.40569},
		{counts(12, 6000, 12, 6000), 5, 10, 0.56507, 0.1693},
		{counts(1800, 300000, 600, 300000), 30, 60, 3.82253, -19.9615},
		{counts(3, 3, 0, 3), 1, 2, 46.1768, -0.641775},
	} {
		m := testTrack(0.6, 0.01)
		m.CanaryInstances, m.StableInstances = v.canary, v.stable
		m.fold(0, 60, v.counts, 0.5)
		near(t, "evidence of harm", m.Harm.evidence(), v.harm)
		nearProof(t, m.Proof.logEvidence(), v.proof, v.counts.StableBad)
	}
}

// nearProof allows for the one part that the proof makes of stable's rate, where the
// vectors have three: much where stable has shown nothing, next to nothing where it has shown
// enough.
func nearProof(t *testing.T, got, want, stableBad float64) {
	t.Helper()
	within := 0.002 + 0.015*math.Abs(want)
	switch {
	case stableBad == 0:
		within = 0.1
	case stableBad >= enoughEvents:
		within = 2e-5 * math.Abs(want)
	}
	if math.Abs(got-want) > within {
		t.Errorf("evidence of being no worse is %.7g, want %.7g", got, want)
	}
}

func TestPathsMatchTheVectors(t *testing.T) {
	path := func(bad float64, minutes int, seen func(minute int, m *track)) {
		m := testTrack(0.4, 0.0025)
		m.CanaryInstances, m.StableInstances = 5, 10
		for i := range 4 * minutes {
			m.fold(float64(15*i), float64(15*i+15), counts(bad, 1500, 3, 1500), 0.5)
			if i%4 == 3 {
				seen(i/4+1, m)
			}
		}
	}
	harm := []float64{2.75416, 23.3471, 258.983, 3060.68, 36877.1}
	path(9, 5, func(minute int, m *track) {
		near(t, "evidence of harm", m.Harm.evidence(), harm[minute-1])
	})
	proof := map[int]float64{4: 1.06761, 8: 2.37371, 12: 3.71714, 16: 5.07463}
	path(3, 16, func(minute int, m *track) {
		if want, ok := proof[minute]; ok {
			nearProof(t, m.Proof.logEvidence(), want, m.Block.StableBad)
		}
	})
}

func TestFirstWeights(t *testing.T) {
	s := DefaultSettings()
	for _, v := range []struct{ rate, want float64 }{{10000, 0.00072}, {200, 1.0 / 300}, {5, 20.0 / 150}, {0.1, 0.5}} {
		near(t, "the first weight", s.FirstWeight(v.rate), v.want)
	}
}

var testStart = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
