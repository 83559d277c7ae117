package judge

import "math"

// A mean, such as the value of an order, is judged by the logarithm of the ratio of
// both arms' means in a block. With at least leastValues on either side it is about
// normal, and its variance is that of sampling plus the noise between blocks:
//
//	x = ln(m_C/m_B) + (v_C − v_B)/2 ~ Normal(ln f, V),  V = v_C + v_B + ω²
//
// where v = s²/(n·m²) and f is the canary's mean as a multiple of stable's (Hedges,
// Gurevitch and Curtis, "The meta-analysis of response ratios", 1999; the second term
// is the correction of the bias by Lajeunesse, 2015). On this scale V does not depend
// on f, as it would for the difference of the means, and the values may be skewed, as
// money and times are.
//
// V enters null and alternative alike, so the likelihood ratio stays an e-value where
// V is larger than the truth: exp(δ(x−θ)/V − δ²/2V) has a mean of at most 1. So of the
// block's own relative variance and that of either arm so far the largest counts; few
// values of a skewed law miss its tail, and would look certain.

// meanEffects are the alternatives of harm: so many times beyond what is tolerated.
// Where higher is better they are the reciprocals, which on this scale is the same.
var meanEffects = effects([]effect{{factor: 1.05}, {factor: 1.1}, {factor: 1.2}, {factor: 1.5}, {factor: 2.5}, {factor: 6}})

// meanEquals are the alternatives of the proof, as parts of the way to the margin: a
// canary that is better by it, the same, and worse by half of it.
var meanEquals = []float64{-1, 0, 0.5}

const (
	leastValues   = 30   // of each arm in a block, for the law to be about normal
	leastVariance = 1e-8 // of x
	mostLogRatio  = 7    // a factor of a thousand
)

// mean is the state of one mean. Times are seconds since the judge began.
type mean struct {
	Begun      bool    `json:"begun"`
	InBlock    bool    `json:"inBlock"`
	BlockStart float64 `json:"blockStart"`
	// Weight is the canary's weight when the block began.
	Weight float64 `json:"weight"`
	Block  armSums `json:"block"`
	Total  armSums `json:"total"`
	// Early are stable's values before the canary had any.
	Early sums `json:"early"`
	// CanaryInstances and StableInstances are those of the last sample.
	CanaryInstances int `json:"canaryInstances"`
	StableInstances int `json:"stableInstances"`

	Harm  regression     `json:"harm"`
	Proof noninferiority `json:"proof"`
	// Precision is the sum of 1/V over the closed blocks, Weighted that of x/V.
	Precision float64 `json:"precision"`
	Weighted  float64 `json:"weighted"`

	rules meanRules
}

// armSums are the sums of both arms.
type armSums struct {
	Canary sums `json:"canary"`
	Stable sums `json:"stable"`
}

func (s *armSums) add(c *CustomSample) {
	s.Canary.add(c.Canary)
	s.Stable.add(c.Stable)
}

// enough tells whether the law of a block is about normal.
func (s *armSums) enough() bool { return s.Canary.N >= leastValues && s.Stable.N >= leastValues }

// meanRules are what a mean needs of settings and calibration.
type meanRules struct {
	settings *Settings
	noise    Noise
	// tolerated and margin are logarithms of how much worse is tolerated, and proven
	// against: above 0, whichever direction is better. sign is −1 where higher is.
	tolerated, margin, sign float64
}

func newMean() *mean {
	n := len(meanEquals)
	return &mean{
		Harm:  newRegression(len(meanEffects)),
		Proof: noninferiority{Booked: make([]float64, n), Open: make([]float64, n)},
	}
}

func (t *mean) bind(s *Settings, m CustomMetric, noise Noise) {
	t.rules = meanRules{settings: s, noise: noise, sign: 1}
	r, p := m.Margin.Regression.Ratio, m.Margin.Promotion.Ratio
	t.rules.tolerated, t.rules.margin = math.Log(r), math.Log(p)
	if m.Better == HigherIsBetter {
		t.rules.sign, t.rules.tolerated, t.rules.margin = -1, -math.Log(2-r), -math.Log(2-p)
	}
}

// complete tells whether t, read back, has the right shape.
func (t *mean) complete() bool {
	return t.Harm.complete(len(meanEffects)) && len(t.Proof.Booked) == len(meanEquals) && len(t.Proof.Open) == len(meanEquals)
}

// fold adds the counts of the interval from from to at and evaluates.
func (t *mean) fold(from, at float64, c *CustomSample, weight float64) {
	if !t.Begun && c.Canary.All == 0 {
		t.Early.add(c.Stable) // there is nothing to compare yet
		return
	}
	t.Begun = true
	if t.InBlock && math.Abs(weight-t.Weight) > 1e-9 {
		t.endBlock() // an average over two weights would mix the hours of the day differently
	}
	if !t.InBlock {
		t.InBlock, t.BlockStart, t.Weight = true, from, weight
		t.Harm.beginSlice(t.rules.settings.Block.Seconds() / t.rules.settings.OnsetHorizon.Seconds())
	}
	t.Block.add(c)
	t.Total.add(c)
	t.look()
	if t.Block.enough() && at-t.BlockStart >= t.rules.settings.Block.Seconds()-timeSlack {
		t.endBlock()
	}
}

// look evaluates the open block. A block with too few values gains nothing yet.
func (t *mean) look() {
	l, ok := t.compare()
	for i, e := range meanEffects {
		gain := 0.0
		if ok {
			gain = math.Min(l.gain(e.logFactor, t.rules.tolerated+t.allowance()), math.Min(t.clip(), largestGain))
		}
		t.Harm.Open[i] = math.Min((t.Harm.Booked[i]+t.Harm.Stake)*math.Exp(gain), richest)
	}
	if t.rules.settings.Watch > 0 {
		return
	}
	for i, part := range meanEquals {
		gain := 0.0
		if ok {
			gain = math.Min(l.gain((part-1)*t.rules.margin, t.rules.margin), t.clip())
		}
		t.Proof.Open[i] = t.Proof.Booked[i] + gain
	}
}

// meanLook is one evaluation: x, above 0 where the canary is worse, and its variance V.
type meanLook struct{ x, variance float64 }

// gain is the log likelihood ratio of "worse by null and shift" against "by null".
func (l meanLook) gain(shift, null float64) float64 {
	return (shift*(l.x-null) - shift*shift/2) / l.variance
}

// compare is the open block. ok is false where it has too few values, or where
// stable's are all zero, of which nothing is a multiple.
func (t *mean) compare() (l meanLook, ok bool) {
	stable, canary := t.Block.Stable.mean(), t.Block.Canary.mean()
	if !t.Block.enough() || stable < smallestValue {
		return meanLook{}, false
	}
	known := math.Max(t.Total.Canary.relativeVariance(), t.Total.Stable.plus(t.Early).relativeVariance())
	vStable := math.Max(t.Block.Stable.relativeVariance(), known) / t.Block.Stable.N
	vCanary := math.Max(t.Block.Canary.relativeVariance(), known) / t.Block.Canary.N
	x := math.Log(math.Max(canary, smallestValue)/stable) + (vCanary-vStable)/2
	x = math.Max(-mostLogRatio, math.Min(mostLogRatio, x))
	return meanLook{x: t.rules.sign * x, variance: math.Max(leastVariance, vCanary+vStable+t.blockNoise())}, true
}

func (t *mean) instances() float64 {
	return 1/float64(max(1, t.CanaryInstances)) + 1/float64(max(1, t.StableInstances))
}

// blockNoise is ω², the variance of the log ratio between blocks beyond sampling.
func (t *mean) blockNoise() float64 {
	return t.rules.noise.Tau2 * t.rules.noise.tauFactor() * t.rules.settings.NoiseShare * t.instances()
}

// allowance is the logarithm of what is granted for lasting differences between instances.
func (t *mean) allowance() float64 {
	return t.rules.settings.InstanceWidth * math.Sqrt(t.rules.noise.Sigma2*t.instances())
}

func (t *mean) clip() float64 { return t.rules.settings.Clip * t.rules.noise.clipFactor() }

// endBlock books what the block has gained; one with too few values is dropped.
func (t *mean) endBlock() {
	if l, ok := t.compare(); ok {
		t.Precision += 1 / l.variance
		t.Weighted += t.rules.sign * l.x / l.variance
	}
	t.Harm.endSlice()
	copy(t.Proof.Booked, t.Proof.Open)
	t.Block, t.InBlock = armSums{}, false
}

// restartProof begins the proof anew with a new block.
func (t *mean) restartProof() {
	if t.InBlock {
		t.endBlock()
	}
	clear(t.Proof.Booked)
	clear(t.Proof.Open)
}
