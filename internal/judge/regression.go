package judge

import "math"

// The evidence that the canary is worse: an e-process, a bet against "not
// materially worse" that starts with a capital of 1 and can on average not grow
// while that holds. By Ville's inequality (1939) a healthy canary brings it to 1/α
// with a probability of at most α, however often one looks.
//
// Each alternative bets by likelihood ratio; the capital is spread over the
// alternatives (method of mixtures, Robbins 1970) and over the time at which harm
// may begin (Shin, Ramdas and Rinaldo, "E-detectors", 2022): half begins at once,
// the rest trickles in over the horizon.

// effect is an alternative: the canary's rate is factor times what is allowed, plus extra.
type effect struct {
	factor, extra float64
	// catastrophe, if not 0, is the share of additional bad requests from which the effect
	// is not clipped: it may convict at once. Of errors it is vague, lest one that falls
	// between two additions be clipped after all; of latency, where stable has many slow
	// answers itself, that would take a small shift for one.
	catastrophe float64
	vague       float64
	logFactor   float64
}

// vagueness is that of a catastrophe: neighbouring ones are a factor of four apart.
const vagueness = 0.45

func effects(all []effect) []effect {
	for i := range all {
		all[i].logFactor = math.Log(all[i].factor)
	}
	return all
}

var errorEffects = effects([]effect{
	{factor: 1.25}, {factor: 1.6}, {factor: 2.2}, {factor: 3.5}, {factor: 6}, {factor: 12}, {factor: 30},
	{factor: 1, extra: 0.01}, {factor: 1, extra: 0.04}, {factor: 1, extra: 0.15, catastrophe: 0.03, vague: vagueness}, {factor: 1, extra: 0.6, catastrophe: 0.2, vague: vagueness},
})

var latencyEffects = effects([]effect{
	{factor: 1.2}, {factor: 1.5}, {factor: 2}, {factor: 3}, {factor: 5}, {factor: 10}, {factor: 30},
	{factor: 1, extra: 0.05}, {factor: 1, extra: 0.15, catastrophe: 0.06}, {factor: 1, extra: 0.5, catastrophe: 0.2},
})

const (
	firstStake  = 0.5  // of the capital is bet from the first slice on
	largestGain = 60   // nats in one slice
	richest     = 1e15 // so that nothing overflows
)

// regression is the e-process of one metric.
type regression struct {
	// Booked is each alternative's capital at the end of the last slice, Open
	// what it is now.
	Booked []float64 `json:"booked"`
	Open   []float64 `json:"open"`
	// Start is each alternative's log ratio of the open block when the open slice began.
	Start []float64 `json:"start"`
	// Rest is the capital that has not been bet, Stake what enters in the open slice.
	Rest   float64 `json:"rest"`
	Stake  float64 `json:"stake"`
	Slices int     `json:"slices"`

	now []float64 // log ratios of the open block at the last look
}

func newRegression(alternatives int) regression {
	return regression{
		Booked: make([]float64, alternatives), Open: make([]float64, alternatives),
		Start: make([]float64, alternatives), now: make([]float64, alternatives), Rest: 1,
	}
}

// look evaluates the open slice. It may be done at any time and any number of
// times: the ratio of a growing block is a martingale.
//
// A block that is better than the null expects speaks for no alternative. Far below, where
// all are next to impossible, the widest would else win. That only lowers it: what the
// block itself was worth is where the next slice starts from.
func (r *regression) look(l *look, null hypothesis, effects []effect) {
	base := l.logProbs(&null, l.later)
	allowed := l.pooled.expected(&null)
	better := l.pooled.bad <= allowed
	for i, e := range effects {
		h := null
		h.factor, h.extra, h.vague, h.logFactor = e.factor, e.extra, e.vague, e.logFactor
		ratio := l.logProbs(&h, l.later).over(base)
		r.now[i] = ratio.pooled
		if better {
			ratio.pooled = min(ratio.pooled, 0)
		}
		gain := ratio.gain(r.Start[i], l.later)
		if l.clip > 0 && !l.catastrophic(&e, allowed) {
			gain = min(gain, l.clip)
		}
		gain = min(gain, largestGain)
		if l.uncompared {
			gain = min(gain, 0)
		}
		r.Open[i] = min((r.Booked[i]+r.Stake)*math.Exp(gain), richest)
	}
}

// beginSlice must be followed by a look. It lets the next part of the capital enter. share is the part of the
// horizon that one slice is.
func (r *regression) beginSlice(share float64) {
	r.Slices++
	stake := (1 - firstStake) * share
	if r.Slices == 1 {
		stake = firstStake
	}
	r.Stake = min(stake, r.Rest)
	r.Rest -= r.Stake
}

func (r *regression) endSlice() {
	copy(r.Booked, r.Open)
	copy(r.Start, r.now)
}

func (r *regression) endBlock() { clear(r.Start) }

// evidence is E: the mean capital of the alternatives plus what has not been bet.
func (r *regression) evidence() float64 {
	sum := 0.0
	for _, c := range r.Open {
		sum += c
	}
	return r.Rest + sum/float64(len(r.Open))
}

// strongest is the largest capital of a single alternative per unit bet at the
// start. It reacts before E, which is diluted by the mixture.
func (r *regression) strongest() float64 {
	top := 0.0
	for _, c := range r.Open {
		top = max(top, c)
	}
	return top / firstStake
}
