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

// look evaluates the open slice.
//
// More bad requests must never help the proof. The ratio falls with them almost
// everywhere, but not where the parts of the predictive law take turns: near zero,
// and far out in the tails. So a count proves no more than a count of zero would
// (where the law has one part, it does not anyway: there the ratio is convex), and one
// beyond what the margin itself expects proves nothing; nor does a block in which
// stable had no requests to be compared with. All of this only lowers it.
func (p *noninferiority) look(l *look, null hypothesis) {
	at := l.base(null)
	var spotless look
	var spotlessBase base
	turns := l.pooled.bad > 0 && (l.pooled.stable.n > 1 || l.alone && l.fresh.stable.n > 1)
	if turns {
		spotless = l.spotless()
		spotlessBase = spotless.base(null)
	}
	useless := l.uncompared || l.pooled.bad > l.pooled.expected(null)
	for i, e := range equals {
		h := hypothesis{ratio: 1, factor: e.factor, logFactor: e.logFactor}
		var gain float64
		p.now[i], gain = l.gain(h, at, p.Start[i], l.alone)
		if turns {
			_, most := spotless.gain(h, spotlessBase, p.Start[i], l.alone)
			gain = math.Min(gain, most)
		}
		if l.clip > 0 {
			gain = math.Min(gain, l.clip)
		}
		if useless {
			gain = math.Min(gain, 0)
		}
		p.Open[i] = p.Booked[i] + gain
	}
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
		top = math.Max(top, x)
	}
	sum := 0.0
	for _, x := range p.Open {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum/float64(len(p.Open)))
}
