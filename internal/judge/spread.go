package judge

import (
	"cmp"
	"math"
	"slices"
)

// Harm that comes with a version shows in all of its instances, a burst in one or two.
// Where the source tells instances apart, the evidence of harm has to survive without
// the worst fifth of the canary's instances: what they have more than the worst of the
// others, and more than chance gives them, is not counted. It is a winsorised sum
// (Tukey, "The future of data analysis", 1962).
//
// Fewer bad requests are never more evidence of harm, so this only lowers an e-value.
// The proof of being no worse counts every bad request. And a burst ends: what the same
// instance has more than the others block after block counts once it has lasted too long.

const (
	// fewInstances is below how many instances nothing can be told apart.
	fewInstances = 3
	// worstPart is which part of the instances may be worse than the others: one in so many.
	worstPart = 5
	// chanceTau2 is the variance between instances with which chance is reckoned, and
	// chanceWidth how many times the expected excess counts as chance.
	chanceTau2  = 0.1
	chanceWidth = 1.1
	// patience is how long an instance may be worse than the others, in seconds, before
	// it is no burst any more.
	patience = 480
	// mostClip is how many times as much as without instances a slice may add at most,
	// clipInstances how many instances make up for one clip.
	mostClip      = 4
	clipInstances = 8
)

// instanceBad are one instance's bad events in the open block and the open slice.
type instanceBad struct {
	Instance string  `json:"instance"`
	Block    float64 `json:"block"`
	Slice    float64 `json:"slice"`
	// Worse tells that it was one of the worst in all blocks since Since, in seconds
	// since the judge began.
	Worse bool    `json:"worse,omitempty"`
	Since float64 `json:"since,omitempty"`
}

// share is an instance's part of some bad events. One that lasts is no burst any more.
type share struct {
	events float64
	lasts  bool
}

// attribute books the errors of instances; nil tells that they are not known.
func (t *track) attribute(by []InstanceErrors) {
	t.Told = by != nil
	for _, e := range by {
		i := slices.IndexFunc(t.By, func(b instanceBad) bool { return b.Instance == e.Instance })
		if i < 0 {
			i = len(t.By)
			t.By = append(t.By, instanceBad{Instance: e.Instance})
		}
		t.By[i].Block += float64(e.Errors)
		t.By[i].Slice += float64(e.Errors)
	}
}

// apart tells whether bad events are known by instance, of enough instances.
func (t *track) apart() bool { return t.Told && t.CanaryInstances >= fewInstances }

// trust is how many times the clip a slice may add. The more instances have to agree,
// the less a burst is to be feared.
func (t *track) trust() float64 {
	if !t.apart() || slices.ContainsFunc(t.By, t.lasts) {
		return 1
	}
	return math.Min(mostClip, 1+float64(t.CanaryInstances)/clipInstances)
}

// lasts tells whether the instance has been worse for too long.
func (t *track) lasts(b instanceBad) bool { return b.Worse && t.Last-b.Since >= patience }

// blockExcess is the excess of the open block's events.
func (t *track) blockExcess() float64 {
	more, _ := t.excessOf(func(b instanceBad) float64 { return b.Block })
	return more
}

// sliceExcess is the excess of the open slice's events.
func (t *track) sliceExcess() float64 {
	more, _ := t.excessOf(func(b instanceBad) float64 { return b.Slice })
	return more
}

// excessOf is the excess, and what an instance may have without being worse.
func (t *track) excessOf(events func(instanceBad) float64) (more, most float64) {
	if !t.apart() || len(t.By) == 0 {
		return 0, math.Inf(1)
	}
	t.shares = t.shares[:0]
	for _, b := range t.By {
		t.shares = append(t.shares, share{events(b), t.lasts(b)})
	}
	return excess(t.shares, t.CanaryInstances)
}

// keepWorst ends the block for the instances: those that were worse than the others in
// it are remembered, the rest forgotten.
func (t *track) keepWorst() {
	more, most := t.excessOf(func(b instanceBad) float64 { return b.Block })
	kept := t.By[:0]
	for _, b := range t.By {
		if b.Block <= most || more == 0 && !t.lasts(b) {
			continue
		}
		if !b.Worse {
			b.Worse, b.Since = true, t.BlockStart
		}
		b.Block, b.Slice = 0, 0
		kept = append(kept, b)
	}
	t.By = kept
}

// excess is how many events the worst of k instances have more than most, the worst of
// the others, and than chance gives them. by are the events by instance, without those
// that have none; they are sorted. A single event is nobody's burst.
func excess(by []share, k int) (more, most float64) {
	slices.SortFunc(by, func(a, b share) int { return cmp.Compare(a.events, b.events) })
	worst := worstOf(k)
	most = 1.0
	if len(by) > worst {
		most = math.Max(most, by[len(by)-1-worst].events)
	}
	all := 0.0
	for i, b := range by {
		all += b.events
		if i >= len(by)-worst && !b.lasts {
			more += math.Max(0, b.events-most)
		}
	}
	if more > 0 {
		more = math.Max(0, more-chanceWidth*chanceExcess(all/float64(k), k))
	}
	return more, most
}

// worstOf is how many of k instances may be worse than the others.
func worstOf(k int) int { return (k + worstPart - 1) / worstPart }

// chanceExcess is the excess that is expected of k like instances with mean events each:
// k·E(X−c)⁺ with c the quantile that the worst part exceeds, for a negative binomial X.
func chanceExcess(mean float64, k int) float64 {
	const many = 30 // events, from which X is nearly normal
	share := float64(worstOf(k)) / float64(k)
	if mean > many {
		z := math.Sqrt2 * math.Erfinv(1-2*share)
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		return float64(k) * (density - share*z) * math.Sqrt(mean+chanceTau2*mean*mean)
	}
	const shape = 1 / chanceTau2
	p := math.Exp(-shape * math.Log1p(mean/shape)) // P(X = c), from c = 0 on
	above, more := 1-p, mean                       // P(X > c) and E(X−c)⁺
	for c := 0.0; c < 1 || above > share; c++ {
		more -= above
		p *= (c + shape) / (c + 1) * mean / (mean + shape)
		above -= p
	}
	return float64(k) * math.Max(0, more)
}
