package judge

import "math"

// Some instances are a little worse than others for as long as they live: a busy
// neighbour, an older machine. Two arms of a few instances each differ by that, and it
// is nobody's fault. The difference is unknown, but it does not change: so it is a
// random effect, a factor of the canary's rate with mean 1 and variance σ²·(1/k_C + 1/k_B),
// which the blocks teach. Under the null the next block's factor is the posterior mean
// of a gamma prior (Bühlmann and Straub's credibility, 1970): 1 while little is known,
// and what was seen once much is.
//
// Only what makes the canary look worse is granted: less than one standard deviation of
// what instances may differ by from the start, and never more than a few. Where instances
// cannot be told apart, a burst of one would teach too much: there all of it is granted
// from the start.

// grantedAtOnce is how many standard deviations are granted before anything is known.
const grantedAtOnce = 0.75

// lasting is what is known of the factor: events seen in closed blocks, and expected
// under the null without it, both weighed down by the noise between blocks.
type lasting struct {
	Seen     float64 `json:"seen"`
	Expected float64 `json:"expected"`
}

// learn takes in the open block, which is about to be closed.
func (l *lasting) learn(t *track) {
	if t.Block.Canary == 0 || t.Block.Stable == 0 {
		return
	}
	null := t.rules.regression
	stable := posteriorOf(t.stableRate(), t.Block.StableBad, t.Block.Stable)
	v := view{stable: stable, all: t.Block.Canary}
	expected := v.expected(&null)
	shape := 0.0
	for j := range stable.n {
		shape += stable.weight[j] * stable.shape[j]
	}
	weight := 1 / (1 + expected*(t.blockNoise()+1/shape))
	l.Seen += weight * max(0, t.Block.CanaryBad-t.blockLeftOut())
	l.Expected += weight * expected
}

// instanceAllowance is the factor that is granted for lasting differences between instances.
func (t *track) instanceAllowance() float64 {
	variance := t.rules.noise.Sigma2 * t.spread()
	if variance <= 0 {
		return 1
	}
	most := math.Exp(t.rules.settings.InstanceWidth * math.Sqrt(variance))
	if !t.apart() {
		return most
	}
	prior := 1 / variance // events
	factor := (prior + t.Lasting.Seen) / (prior + t.Lasting.Expected)
	return math.Min(most, math.Max(factor, math.Exp(grantedAtOnce*math.Sqrt(variance))))
}
