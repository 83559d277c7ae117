package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// booth simulates a custom ratio whose rate the priors do not know.
type booth struct {
	perMinute float64
	rate      float64 // stable's
	margin    float64 // in rates
}

// run plays an hour of a canary whose rate is worse by so much, in samples of 15 s.
func (b booth) run(seed uint64, worse float64, harmOnly bool) (harm, proof float64) {
	s := DefaultSettings()
	m := CustomMetric{Name: "ratio", Kind: RatioMetric, Better: LowerIsBetter, Margin: RateMargin(b.margin), Share: 0.1}
	var c Calibration
	t := newRatio(m)
	t.rules = ratioRules(&s, m, c.customNoise(m))
	t.rules.bare = harmOnly
	t.CanaryInstances, t.StableInstances = 5, 10
	source := rand.NewPCG(seed, 5)
	binomial := func(n, p float64) float64 {
		if n == 0 {
			return 0
		}
		return distuv.Binomial{N: n, P: p, Src: source}.Rand()
	}
	proof = math.Inf(-1)
	for i := range 240 {
		n := distuv.Poisson{Lambda: b.perMinute / 8, Src: source}.Rand()
		k := distuv.Poisson{Lambda: b.perMinute / 8, Src: source}.Rand()
		t.fold(15*float64(i), 15*float64(i+1), tally{
			CanaryBad: binomial(n, b.rate+worse), Canary: n, StableBad: binomial(k, b.rate), Stable: k,
		}, 0.5)
		harm, proof = math.Max(harm, t.Harm.evidence()), math.Max(proof, t.Proof.logEvidence())
	}
	return harm, proof
}

func TestARatioOfAnyRateStaysWithinItsBounds(t *testing.T) {
	runs := 120
	if testing.Short() {
		runs = 40
	}
	for name, b := range map[string]booth{
		"one in a thousand":         {perMinute: 2000, rate: 0.001, margin: 0.005},
		"one in a hundred":          {perMinute: 300, rate: 0.01, margin: 0.01},
		"two in a thousand, of few": {perMinute: 200, rate: 0.002, margin: 0.005},
		"a third":                   {perMinute: 300, rate: 0.3, margin: 0.05},
		"a third, of few":           {perMinute: 20, rate: 0.3, margin: 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var twenty, falsely, proven, found int
			for i := range uint64(runs) {
				tolerated := RateMargin(b.margin).Regression.Add
				if harm, _ := b.run(i, tolerated, true); harm >= 20 {
					twenty++
				}
				if _, proof := b.run(1e6+i, b.margin, false); proof >= math.Log(20) {
					falsely++
				}
				if _, proof := b.run(2e6+i, 0, false); proof >= math.Log(20) {
					proven++
				}
				if harm, _ := b.run(3e6+i, 3*b.margin, true); harm >= 200 {
					found++
				}
			}
			t.Logf("of %d: E ≥ 20 in %d, false proofs in %d; an equal one proven in %d, three margins found in %d", runs, twenty, falsely, proven, found)
			if twenty > atMost(runs, 0.05) || falsely > atMost(runs, 0.05) {
				t.Error("more than the bounds allow")
			}
		})
	}
}
