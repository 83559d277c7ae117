package judge

import (
	"math"
	"slices"
)

// Harm that comes with a version shows in all of its instances, a burst in one or two.
// Where the source tells instances apart, the evidence of harm has to survive without
// the worst fifth of the canary's instances: what they have more than the worst of the
// others, and more than chance gives them, is not counted. It is a winsorised sum
// (Tukey, "The future of data analysis", 1962).
//
// Fewer bad requests are hardly ever more evidence of harm, so this lowers an e-value.
// And bursts are a small part of a service's bad requests: what is left out in all is bounded
// by what stable's rate lets expect of the canary. So harm that is always in the worst fifth,
// be it one instance or each in turn, is found if it is more than about four times stable's
// rate. What is less is not found, but does not pass either: the proof of being no worse
// counts every bad request, and a watch whose canary has significantly more of them only by
// what was left out is put to a person.

const (
	// fewInstances is below how many instances nothing can be told apart.
	fewInstances = 3
	// worstPart is which part of the instances may be worse than the others: one in so many.
	worstPart = 5
	// chanceTau2 is the variance between instances with which chance is reckoned, and
	// chanceWidth how many times the expected excess counts as chance.
	chanceTau2  = 0.1
	chanceWidth = 1.1
	// leftOutAtOnce is how many events may be left out before anything is expected,
	// leftOutShare how many more of those that are expected.
	leftOutAtOnce = 5
	leftOutShare  = 2
	// mostClip is how many times as much as without instances a slice may add at most,
	// clipInstances how many instances make up for one clip.
	mostClip      = 4
	clipInstances = 8
	// calmTau2 is the most variance of an instance's log error rate between minutes that a
	// calm service has, and burstEvents how many more bad requests, for each time as much
	// variance, a catastrophe must have.
	calmTau2    = 0.7
	burstEvents = 5
	// mostBursts is the largest factor that a past full of bursts is worth.
	mostBursts = 5
	// mostCatastrophe is the share from which it is one, whatever the past was like.
	mostCatastrophe = 0.5
)

// burstsIn is how many times more noise there is than a calm service has, with what is added
// where neighbouring minutes are alike. block is that, in seconds, for which the noise was
// calibrated.
func burstsIn(n Noise, block float64) float64 {
	return math.Min(mostBursts, math.Max(1, n.Tau2*math.Min(1, block/blockMinute)/calmTau2))
}

// catastrophic tells that the block shows the catastrophe e in itself, without a clip: in
// most instances, and so much that no burst would do it. The more bursts the past had, the
// more it takes.
func (l *look) catastrophic(e *effect, allowed float64) bool {
	if e.catastrophe == 0 {
		return false
	}
	share := math.Min(mostCatastrophe, l.bursts*e.catastrophe)
	return l.widespread >= allowed+share*l.pooled.all+burstEvents*(l.bursts-1)
}

// instanceBad are one instance's bad events in the open block and the open slice.
type instanceBad struct {
	Instance string  `json:"instance"`
	Block    float64 `json:"block"`
	Slice    float64 `json:"slice"`
}

// leftOut are the closed blocks' events that were left out, and those that were expected.
type leftOut struct {
	Events   float64 `json:"events"`
	Expected float64 `json:"expected"`
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
	if !t.apart() {
		return 1
	}
	return math.Min(mostClip, 1+float64(t.CanaryInstances)/clipInstances)
}

// concentrated tells that the canary has significantly more bad events than are tolerated,
// of which more was left out than may be of anyone.
func (t *track) concentrated() bool {
	if t.Left.Events+t.blockLeftOut() <= leftOutAtOnce {
		return false
	}
	ratio, known := t.ratio()
	null, usual := t.rules.regression, t.usualRate()
	return known && ratio.Low*usual > null.ratio*usual+null.add
}

// blockLeftOut is what is left out of the open block's events.
func (t *track) blockLeftOut() float64 {
	return t.leftOutOf(func(b instanceBad) float64 { return b.Block })
}

// sliceLeftOut is what is left out of the open slice's events.
func (t *track) sliceLeftOut() float64 {
	return t.leftOutOf(func(b instanceBad) float64 { return b.Slice })
}

// blockExcess is the open block's excess, however much has been left out.
func (t *track) blockExcess() float64 {
	return t.excessOf(func(b instanceBad) float64 { return b.Block })
}

func (t *track) leftOutOf(events func(instanceBad) float64) float64 {
	left := leftOutAtOnce + leftOutShare*(t.Left.Expected+t.expectedNow()) - t.Left.Events
	return math.Min(t.excessOf(events), math.Max(0, left))
}

func (t *track) excessOf(events func(instanceBad) float64) float64 {
	if !t.apart() || len(t.By) == 0 {
		return 0
	}
	t.scratch = t.scratch[:0]
	for _, b := range t.By {
		t.scratch = append(t.scratch, events(b))
	}
	return excess(t.scratch, t.CanaryInstances)
}

// expectedNow is how many events stable's rate lets expect of the canary in the open block.
func (t *track) expectedNow() float64 { return t.Block.Canary * t.concurrentRate() }

// concurrentRate is stable's rate in the open block, drawn to the running mean as far as
// it has few events.
func (t *track) concurrentRate() float64 {
	weight := gammaPrior[0].shape
	return (weight + t.Block.StableBad) / (weight/t.stableRate() + t.Block.Stable)
}

// endInstances ends the block for the instances.
func (t *track) endInstances() {
	t.Left.Events += t.blockLeftOut()
	t.Left.Expected += t.expectedNow()
	t.By = t.By[:0]
}

// excess is how many events the worst of k instances have more than the worst of the
// others and than chance gives them. counts are the events by instance, without those
// that have none; they are sorted. A single event is nobody's burst.
func excess(counts []float64, k int) float64 {
	slices.Sort(counts)
	worst := worstOf(k)
	most, all, more := 1.0, 0.0, 0.0
	if len(counts) > worst {
		most = math.Max(most, counts[len(counts)-1-worst])
	}
	for i, n := range counts {
		all += n
		if i >= len(counts)-worst {
			more += math.Max(0, n-most)
		}
	}
	if more == 0 {
		return 0
	}
	return math.Max(0, more-chanceWidth*chanceExcess(all/float64(k), k))
}

// worstOf is how many of k instances may be worse than the others: a fifth, rounded up.
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
