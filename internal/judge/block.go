package judge

import "math"

// The bookkeeping of one metric. Time is cut into blocks, over which the stable
// rate and the noise of the arms count as constant. A block of a quiet service is
// prolonged, so that the comparison rests on pooled counts of both arms and not on
// the past. Evidence is booked in slices of a block.

// tally is what both arms did over a stretch: bad events and all requests.
type tally struct {
	CanaryBad float64 `json:"canaryBad"`
	Canary    float64 `json:"canary"`
	StableBad float64 `json:"stableBad"`
	Stable    float64 `json:"stable"`
	// ColdBad are the canary's bad requests of cold instances, of Cold in all, which may
	// have them in ColdLoad requests of warm ones (coldstart.go). They count for harm only.
	ColdBad  float64 `json:"coldBad,omitempty"`
	Cold     float64 `json:"cold,omitempty"`
	ColdLoad float64 `json:"coldLoad,omitempty"`
	// ColdDoubt is the standard deviation of ColdLoad.
	ColdDoubt float64 `json:"coldDoubt,omitempty"`
}

func (t *tally) add(o tally) {
	t.CanaryBad += o.CanaryBad
	t.Canary += o.Canary
	t.StableBad += o.StableBad
	t.Stable += o.Stable
	t.ColdBad += o.ColdBad
	t.Cold += o.Cold
	t.ColdLoad += o.ColdLoad
	t.ColdDoubt += o.ColdDoubt
}

func (t tally) events() float64 { return t.CanaryBad + t.StableBad + t.ColdBad }

// track is the state of one metric. Times are seconds since the judge began.
type track struct {
	Name string `json:"name"`
	// Bound is the latency in seconds above which a request is bad; 0 for errors.
	Bound float64 `json:"bound,omitempty"`
	// Capital is what the metric's evidence is worth in the sum.
	Capital float64 `json:"capital"`

	Begun      bool    `json:"begun"`
	InSlice    bool    `json:"inSlice"`
	BlockStart float64 `json:"blockStart"`
	SliceStart float64 `json:"sliceStart"`
	Last       float64 `json:"last"`
	// Weight is the canary's weight when the block began.
	Weight float64 `json:"weight"`
	Block  tally   `json:"block"`
	Slice  tally   `json:"slice"`
	Total  tally   `json:"total"`
	// Past is the stable arm's counts before the open block, forgotten with a
	// half-life of 20 minutes.
	PastBad float64 `json:"pastBad"`
	Past    float64 `json:"past"`
	// CanaryInstances and StableInstances are those of the last sample.
	CanaryInstances int `json:"canaryInstances"`
	StableInstances int `json:"stableInstances"`

	Harm  regression     `json:"harm"`
	Proof noninferiority `json:"proof"`
	// Ratio is the log likelihood of each ratio of the grid, over the closed blocks.
	Ratio []float64 `json:"ratio,omitempty"`

	// Lasting is what the closed blocks say about a lasting difference between the arms.
	Lasting lasting `json:"lasting"`
	// By are the canary's instances with bad events in the open block.
	// Told tells that the last sample knew them.
	By   []instanceBad `json:"by,omitempty"`
	Told bool          `json:"told,omitempty"`
	// Left is what was left out of them so far.
	Left leftOut `json:"left,omitzero"`

	rules   rules
	scratch []float64
}

// rules are what a track needs of settings and calibration.
type rules struct {
	settings *Settings
	noise    Noise
	effects  []effect
	// cold is what cold instances may have, by their age.
	cold allowances
	// bursts is how many times more noise the service's past has than a calm one's, at least 1.
	bursts float64
	// regression and promotion are the null hypotheses; the first is without the
	// allowance for instances.
	regression, promotion hypothesis
	// bare leaves out what only a verdict needs: the proof and the ratio.
	bare bool
}

const (
	pastHalfLife = 1200 // seconds
	// latencyClip is how many times as much as of errors a slice of latency may add: a
	// burst makes fewer answers slow than it makes fail.
	latencyClip = 1.25
)

// spread is 1/k of both arms together: variances per instance times spread are
// variances of the comparison.
func (t *track) spread() float64 {
	return 1/float64(max(1, t.CanaryInstances)) + 1/float64(max(1, t.StableInstances))
}

// blockNoise is ω², the variance of the log rate between blocks.
func (t *track) blockNoise() float64 {
	return t.rules.noise.Tau2 * t.rules.noise.tauFactor() * t.rules.settings.NoiseShare * t.spread()
}

func (t *track) clip() float64 {
	clip := t.rules.settings.Clip * t.rules.noise.clipFactor()
	if t.Bound != 0 {
		clip *= latencyClip
	}
	return clip
}

// stableRate is the running mean of the stable arm, with the calibrated rate as a few events.
func (t *track) stableRate() float64 {
	n := t.rules.noise
	return (n.Events + t.PastBad) / (n.Events/n.Rate + t.Past)
}

// usualRate is the running mean with the open block.
func (t *track) usualRate() float64 {
	n := t.rules.noise
	return (n.Events + t.PastBad + t.Block.StableBad) / (n.Events/n.Rate + t.Past + t.Block.Stable)
}

// fold adds the counts of the interval from from to at and evaluates.
func (t *track) fold(from, at float64, counts tally, weight float64) {
	if !t.Begun {
		if counts.Canary+counts.ColdLoad == 0 {
			// Stable alone teaches its rate; there is nothing to compare yet.
			t.forget(at - from)
			t.PastBad += counts.StableBad
			t.Past += counts.Stable
			return
		}
		t.Begun = true
		t.BlockStart, t.SliceStart, t.Weight = from, from, weight
	}
	t.Last = at
	t.Block.add(counts)
	t.Slice.add(counts)
	t.Total.add(counts)
	if !t.InSlice {
		t.InSlice = true
		t.Harm.beginSlice(t.rules.settings.Block.Seconds() / t.rules.settings.OnsetHorizon.Seconds())
	}
	l := t.look()
	null := t.rules.regression
	null.ratio *= t.instanceAllowance()
	t.lookForHarm(l, null)
	if t.rules.settings.Watch == 0 && !t.rules.bare {
		l.collapse()
		t.Proof.look(&l, t.rules.promotion)
	}
	if at-t.SliceStart < t.rules.settings.Block.Seconds()-timeSlack {
		return
	}
	t.endSlice()
	if t.Block.events() >= t.rules.settings.BlockEvents ||
		at-t.BlockStart >= t.rules.settings.MaxBlock.Seconds()-timeSlack || math.Abs(weight-t.Weight) > 1e-9 {
		t.endBlock()
		t.Weight = weight
	}
}

// lookForHarm looks with the cold instances, and without what the worst instances have
// more than the others.
func (t *track) lookForHarm(l look, null hypothesis) {
	l.widespread = max(0, l.pooled.bad-t.blockExcess()) + t.Block.ColdBad
	l.pooled.bad = max(0, l.pooled.bad-t.blockLeftOut()) + t.Block.ColdBad
	l.pooled.warmUp(t.Block)
	l.bursts = t.rules.bursts
	if l.later {
		left := t.sliceLeftOut()
		missing := t.rules.settings.BlockEvents - (t.Slice.events() - left)
		l.fresh.bad = max(0, t.Slice.CanaryBad-left) + t.Slice.ColdBad + max(0, missing)
		l.fresh.warmUp(t.Slice)
	}
	l.clip *= t.trust() / t.rules.bursts
	t.Harm.look(&l, null, t.rules.effects)
}

const timeSlack = 1e-6 // seconds

func (t *track) endSlice() {
	t.Harm.endSlice()
	t.Proof.endSlice()
	t.Slice = tally{}
	t.SliceStart = t.Last
	t.InSlice = false
	for i := range t.By {
		t.By[i].Slice = 0
	}
}

func (t *track) endBlock() {
	if !t.rules.bare {
		t.Ratio = t.bookRatio(t.Ratio)
		settle(t.Ratio)
	}
	t.Lasting.learn(t)
	t.endInstances()
	t.forget(t.Last - t.BlockStart)
	t.PastBad += t.Block.StableBad
	t.Past += t.Block.Stable
	t.Block = tally{}
	t.BlockStart = t.Last
	t.Harm.endBlock()
	t.Proof.endBlock()
}

func (t *track) forget(seconds float64) {
	f := math.Exp2(-seconds / pastHalfLife)
	t.PastBad *= f
	t.Past *= f
}

// restartProof begins the proof anew with a new block.
func (t *track) restartProof() {
	if t.Begun {
		if t.InSlice {
			t.endSlice()
		}
		t.endBlock()
	}
	t.Proof.restart()
}

// look is one evaluation of the open block.
type look struct {
	pooled, fresh view
	// later tells that the slice is not the block's first: fresh counts for harm.
	// alone tells that it is busy: fresh counts for the proof as well.
	alone, later bool
	// uncompared tells that stable had no requests in the block, though it should:
	// then nothing may be gained, neither by harm nor by proof.
	uncompared bool
	clip       float64
	// widespread are the block's bad requests without all that the worst instances have
	// more than the others.
	widespread, bursts float64
}

// look prepares the evaluation. A slice of a prolonged block that turns out busy
// is also judged alone, and the smaller ratio counts (the minimum of two e-values
// is one): an incident that begins inside the block must not be measured with the
// quiet part's rate. A slice that is not yet busy gains no more harm than it would
// with just enough bad requests of the canary to be: one more must never help it.
func (t *track) look() look {
	noise := t.blockNoise()
	rate := t.stableRate()
	l := look{clip: t.clip(), pooled: viewOf(t.Block, rate, noise), uncompared: t.Block.Stable == 0 && t.Weight < 1}
	if t.SliceStart > t.BlockStart+timeSlack {
		missing := t.rules.settings.BlockEvents - t.Slice.events()
		l.alone, l.later = missing <= 0, true
		l.fresh = viewOf(t.Slice, rate, noise)
		l.fresh.bad += max(0, missing)
	}
	return l
}

// collapse makes one part of the law. It must come before the first evaluation.
func (l *look) collapse() {
	for _, v := range []*view{&l.pooled, &l.fresh} {
		if v.stable.n > 1 {
			v.stable.collapse()
		}
	}
}

func viewOf(c tally, rate, noise float64) view {
	return view{stable: posteriorOf(rate, c.StableBad, c.Stable), bad: c.CanaryBad, all: c.Canary, noise: noise}
}

// logProbs are log probabilities, or log ratios of them: of the block, and of the slice alone.
type logProbs struct{ pooled, fresh float64 }

// logProbs are those of the counts under h; of the slice only if fresh.
func (l *look) logProbs(h *hypothesis, fresh bool) logProbs {
	p := logProbs{pooled: l.pooled.logProb(h)}
	if fresh {
		p.fresh = l.fresh.logProb(h)
	}
	return p
}

func (p logProbs) over(null logProbs) logProbs {
	return logProbs{p.pooled - null.pooled, p.fresh - null.fresh}
}

// gain is what the slice gained on start, the block's log ratio when the slice began.
// fresh tells whether the slice alone counts as well.
func (p logProbs) gain(start float64, fresh bool) float64 {
	if fresh {
		return min(p.pooled-start, p.fresh)
	}
	return p.pooled - start
}
