package judge

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Shares are the weights that a platform can give a canary, in (0, 1) and rising, where
// it can give only some: one that splits traffic by counting instances has 1/4, 2/5 and
// 1/2 beside three others. None means that any weight is possible.
type Shares []float64

// sameWeight is how close weights are the same.
const sameWeight = 1e-9

// AtMost is the largest possible weight that is not above x, or 0.
func (s Shares) AtMost(x float64) float64 {
	if len(s) == 0 {
		return x
	}
	i := sort.Search(len(s), func(i int) bool { return s[i] > x+sameWeight })
	if i == 0 {
		return 0
	}
	return s[i-1]
}

// above is the smallest possible weight that is above x; ok is false if there is none,
// or any is possible.
func (s Shares) above(x float64) (next float64, ok bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i] > x+sameWeight })
	if i == len(s) {
		return 0, false
	}
	return s[i], true
}

// Among are the settings where only some weights are possible: the middle level is the
// nearest that is not above what it was, or the smallest of all.
func (s Settings) Among(possible Shares) Settings {
	if len(possible) > 0 {
		s.Middle = math.Max(possible.AtMost(s.Middle), possible[0])
	}
	return s
}

// Among lets the weight be only one of the possible ones, from now on and never above
// what the exposure budget allows. It proposes the first weight; where even the smallest
// possible one is more than allowed, there is no other, and the proposal warns.
func (z *Sizing) Among(possible Shares) Proposal {
	allowed := z.Weight
	z.Possible, z.Settings = possible, z.Settings.Among(possible)
	p := Proposal{Weight: possible.AtMost(allowed), Reason: "the first weight"}
	if p.Weight == 0 && len(possible) > 0 {
		p.Weight, p.Warning = possible[0], true
		p.Reason = fmt.Sprintf("the smallest possible weight is %s, more than the %s that %s",
			percent(possible[0]), percent(allowed), z.firstLimit())
	}
	z.Weight = p.Weight
	return p
}

// firstLimit says what limits the first weight.
func (z *Sizing) firstLimit() string {
	switch {
	case z.Settings.Growth.First > 0:
		return "the canary should begin with"
	case z.Rate <= 0:
		return "a canary begins with where the traffic is not known"
	}
	return "the exposure budget allows"
}

// memory is the time constant with which a sample at the time is forgotten. Where the
// weight cannot creep, it has to wait for the next possible one until enough is known
// of the canary; so what was seen at this weight is remembered as long as it lasts.
func (z *Sizing) memory(at time.Time) float64 {
	if len(z.Possible) == 0 {
		return forgetting
	}
	return math.Max(forgetting, at.Sub(z.LastStep).Seconds())
}

// worth tells whether next is enough of a step. Of few possible weights each one is.
func (z *Sizing) worth(next float64) bool {
	if len(z.Possible) > 0 {
		return next > z.Weight
	}
	return next >= z.Weight*leastGrowth
}

// noMore says why the weight does not grow though it might.
func (z *Sizing) noMore(limit float64, suspicious bool) string {
	reason := "the exposure budget allows no more"
	if step, ok := z.Possible.above(z.Weight); ok {
		reason = fmt.Sprintf("the next possible weight is %s, more than the %s that the exposure budget allows", percent(step), percent(limit))
	}
	if suspicious {
		return "suspicious: " + reason
	}
	return reason
}
