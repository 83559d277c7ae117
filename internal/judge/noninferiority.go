package judge

import "math"

// The proof that the canary is not worse by the promotion margin: the same blocks
// with the roles exchanged. The null is "worse by the margin"; the alternatives
// are a canary about as good as stable. Every metric must prove it by itself
// (intersection–union test, Berger 1982), so several metrics need no correction.

// equals are the alternatives: so many times stable's rate.
var equals = effects([]effect{{factor: 0.6}, {factor: 0.85}, {factor: 1}, {factor: 1.15}})

// noninferiority is the e-process of one metric, in logarithms.
type noninferiority struct {
	Booked []float64 `json:"booked"`
	Open   []float64 `json:"open"`
	Start  []float64 `json:"start"`

	now []float64
}

func newNoninferiority() noninferiority {
	n := len(equals)
	return noninferiority{
		Booked: make([]float64, n), Open: make([]float64, n), Start: make([]float64, n), now: make([]float64, n),
	}
}

// look evaluates the open slice. A block in which stable had no requests to be compared
// with proves nothing.
func (p *noninferiority) look(l *look, null hypothesis) {
	even := hypothesis{ratio: 1, factor: 1}
	pooled := l.pooled.compare(&null, &even)
	var fresh comparison
	if l.alone {
		fresh = l.fresh.compare(&null, &even)
	}
	for i := range equals {
		now := logProbs{pooled: pooled.ratio(&equals[i])}
		if l.alone {
			now.fresh = fresh.ratio(&equals[i])
		}
		p.now[i] = now.pooled
		gain := now.gain(p.Start[i], l.alone)
		if l.clip > 0 {
			gain = min(gain, l.clip)
		}
		if l.uncompared {
			gain = min(gain, 0)
		}
		p.Open[i] = p.Booked[i] + gain
	}
}

// comparison is of the null with canaries like stable, over one stretch of counts. Stable's
// rate has one part in it.
type comparison struct {
	null, even partBase
	bad        float64
}

func (v *view) compare(null, even *hypothesis) comparison {
	c := comparison{null: *v.base(0, null), bad: v.bad}
	c.even = *v.base(0, even)
	return c
}

// ratio is the log ratio of the alternative to the null: the least over as many bad
// requests as there are, or fewer, found to a few hundredths of a nat. More of them must
// never help the proof, but with very many the ratio rises again, where stable's rate is so
// uncertain that both are as unlikely. (It falls first: what the margin adds to stable's rate
// is certain, so the null's shape is never the smaller one.)
func (c *comparison) ratio(e *effect) float64 {
	h := hypothesis{factor: e.factor, logFactor: e.logFactor}
	null, even, bad := &c.null, &c.even, c.bad
	if least := c.least(e.factor); least < bad {
		n, a := c.null.with(least), c.even.with(least)
		null, even, bad = &n, &a, least
	}
	return even.logProb(bad, &h) - null.logProb(bad, &hypothesis{factor: 1})
}

// least is the count at which the ratio of two negative binomials is least: where
// ψ(y+κ₀) − ψ(y+κ₁) = ln c, with ψ(x) ≈ ln(x−½).
func (c *comparison) least(factor float64) float64 {
	if c.null.poisson || c.even.poisson {
		return math.Inf(1) // without noise between blocks; the least is far below any proof
	}
	x := c.even.odds * factor
	turn := x / (1 + x) * (1 + c.null.odds) / c.null.odds
	if turn <= 1 {
		return math.Inf(1)
	}
	return max(0, (c.null.shape-0.5-turn*(c.even.shape-0.5))/(turn-1))
}

func (p *noninferiority) endSlice() {
	copy(p.Booked, p.Open)
	copy(p.Start, p.now)
}

func (p *noninferiority) endBlock() { clear(p.Start) }

// restart forgets the proof: worse under load does not show below the middle level.
func (p *noninferiority) restart() {
	clear(p.Booked)
	clear(p.Open)
	clear(p.Start)
}

// logEvidence is ln of the mean over the alternatives.
func (p *noninferiority) logEvidence() float64 {
	top := math.Inf(-1)
	for _, x := range p.Open {
		top = max(top, x)
	}
	sum := 0.0
	for _, x := range p.Open {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum/float64(len(p.Open)))
}
