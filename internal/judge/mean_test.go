package judge

import (
	"math"
	"math/rand/v2"
	"testing"
)

// market simulates one mean: values of a skewed law (a lognormal with a standard
// deviation of 0.8 of the logarithm: a few large orders make a good part of the sum).
type market struct {
	perMinute float64 // values of both arms together
	weight    float64
	noise     float64 // standard deviation of the log mean of an arm in a minute
	better    Better
	worse     float64 // the canary's true mean over stable's
	skew      float64 // standard deviation of the log of a value
}

// meanResult is what one run reached; minute is when the harm reached 200.
type meanResult struct{ harm, proof, minute float64 }

func (m market) run(seed uint64, minutes int) meanResult {
	s := DefaultSettings()
	s.NoiseShare, s.InstanceWidth = 1, 0
	t := newMean()
	t.bind(&s, CustomMetric{Kind: MeanMetric, Better: m.better, Margin: MeanMargin(0.05)}, Noise{Tau2: m.noise * m.noise})
	t.CanaryInstances, t.StableInstances = 2, 2 // so that the noise of the comparison is twice an arm's less an instance's
	random := rand.New(rand.NewPCG(seed, 7))
	arm := func(n, level float64) Counts {
		var c Counts
		for range poissonOf(random, n) {
			x := 40 * level * math.Exp(m.skew*random.NormFloat64())
			c.All, c.Sum, c.Squares = c.All+1, c.Sum+x, c.Squares+x*x
		}
		return c
	}
	r := meanResult{proof: math.Inf(-1), minute: math.Inf(1)}
	canary, stable := 1.0, 1.0
	for i := range 4 * minutes {
		if i%4 == 0 {
			// The noise of two instances, each with half of an arm's values.
			canary = math.Exp(m.noise * random.NormFloat64() / math.Sqrt2)
			stable = math.Exp(m.noise * random.NormFloat64() / math.Sqrt2)
		}
		day := 1 + 0.3*math.Sin(float64(i)/50) // a drift that both arms share
		t.fold(15*float64(i), 15*float64(i+1), &CustomSample{
			Canary: arm(m.perMinute/4*m.weight, day*m.worse*canary), Stable: arm(m.perMinute/4*(1-m.weight), day*stable),
		}, m.weight)
		e := t.Harm.evidence()
		if r.harm < 200 && e >= 200 {
			r.minute = float64(i+1) / 4
		}
		r.harm, r.proof = math.Max(r.harm, e), math.Max(r.proof, t.Proof.logEvidence())
	}
	return r
}

func poissonOf(random *rand.Rand, mean float64) int {
	n, p := 0, math.Exp(-mean)
	if mean > 100 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	for u := random.Float64(); u > p; u *= random.Float64() {
		n++
	}
	return n
}

// at is the true ratio of a canary that is worse by exactly so much.
func (m market) at(share float64) float64 {
	if m.better == HigherIsBetter {
		return 1 - share
	}
	return 1 + share
}

var markets = map[string]market{
	"independent values":               {perMinute: 400, weight: 0.5, skew: 0.8},
	"independent values at 5 %":        {perMinute: 700, weight: 0.05, skew: 0.8},
	"independent values at 95 %":       {perMinute: 700, weight: 0.95, skew: 0.8},
	"few values":                       {perMinute: 20, weight: 0.5, skew: 0.8},
	"values that hardly differ":        {perMinute: 100, weight: 0.5, skew: 0.05},
	"very skewed values":               {perMinute: 140, weight: 0.5, skew: 1.3},
	"mildly noisy values":              {perMinute: 600, weight: 0.5, skew: 0.8, noise: 0.1},
	"mildly noisy values, few of them": {perMinute: 100, weight: 0.3, skew: 0.8, noise: 0.1},
}

func TestTheFalseAlarmsOfAMeanStayWithinTheirBounds(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 100
	}
	for name, m := range markets {
		for _, better := range []Better{LowerIsBetter, HigherIsBetter} {
			m.better = better
			m := m
			t.Run(name+", "+string(m.better)+" is better", func(t *testing.T) {
				t.Parallel()
				var twenty, convicted, proven int
				for i := range uint64(runs) {
					m.worse = m.at(0.01)
					r := m.run(i, 60)
					if r.harm >= 20 {
						twenty++
					}
					if r.harm >= 200 {
						convicted++
					}
					m.worse = m.at(0.05)
					if m.run(1e6+i, 60).proof >= math.Log(20) {
						proven++
					}
				}
				t.Logf("E ≥ 20 in %d, E ≥ 200 in %d, false proofs in %d of %d", twenty, convicted, proven, runs)
				if twenty > atMost(runs, 0.05) || convicted > atMost(runs, 0.005) || proven > atMost(runs, 0.05) {
					t.Error("more than the bounds allow")
				}
			})
		}
	}
}

func TestAShiftOfAFifthIsFound(t *testing.T) {
	for name, m := range map[string]market{
		"higher is better": {perMinute: 600, weight: 0.5, skew: 0.8, noise: 0.07, better: HigherIsBetter},
		"lower is better":  {perMinute: 600, weight: 0.5, skew: 0.8, noise: 0.07, better: LowerIsBetter},
	} {
		m.worse = m.at(0.2)
		found := 0
		for i := range uint64(40) {
			if m.run(i, 30).minute <= 20 {
				found++
			}
		}
		if found < 36 {
			t.Errorf("%s: found within 20 minutes in %d of 40 runs", name, found)
		}
		m.worse = 1
		proven := 0
		for i := range uint64(40) {
			if m.run(i, 60).proof >= math.Log(20) {
				proven++
			}
		}
		t.Logf("%s: %d of 40 found, %d of 40 equal ones proven within an hour", name, found, proven)
	}
}
