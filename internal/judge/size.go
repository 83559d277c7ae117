package judge

import (
	"math"
	"time"
)

// Sizing proposes the canary's weight: the largest at which the harm that is
// still plausible stays within the exposure budget of one decision interval. Its
// JSON is its whole state.
//
// A canary that is suspicious for a block goes back as it came, step by step, as long as it
// has more than it would be given now. Where the noise between blocks is greater than that of
// counting, a bad request says the more the fewer there are in a block: a small weight takes
// longer to decide, and costs less until then.
type Sizing struct {
	Settings Settings `json:"settings"`
	// Prior is the stable share of bad requests before the release.
	Prior float64 `json:"prior"`
	// The sums of both arms are forgotten with a time constant of five minutes.
	Bad  tally   `json:"bad"`
	Rate float64 `json:"rate"`
	// LastAt is the last sample's end, LastStep the last change of the weight.
	LastAt   time.Time `json:"lastAt,omitzero"`
	LastStep time.Time `json:"lastStep,omitzero"`
	Weight   float64   `json:"weight"`
	// ColdExcess is how many answers of cold instances were slower than promised, beyond
	// stable's share, since the last time that all were warm.
	ColdExcess float64 `json:"coldExcess,omitempty"`
	// Arrived is how many requests the canary has had since the last step.
	Arrived int64 `json:"arrived"`
	// Possible are the weights to choose from; none is any.
	Possible Shares `json:"possible,omitempty"`
	// Seconds and Requests measure the request rate.
	Seconds  float64 `json:"seconds"`
	Requests float64 `json:"requests"`
}

const (
	forgetting   = 300.0 // seconds
	boundNats    = 3     // of the upper bound of the canary's bad rate
	stablePrior  = 4     // events
	leastGrowth  = 1.05
	leastExcess  = 0.1 // of 1 − SLO
	defaultPrior = 0.001
	// coldShare is the part of the exposure budget that cold instances may use up by slow
	// answers before the canary waits for them.
	coldShare = 0.25
	// leastBack is the part of the middle level to which suspicion brings a canary back. With
	// less traffic the decision would take too long.
	leastBack = 0.1
	// obvious is the share of additional bad requests from which evidence is not clipped, as
	// of the smallest catastrophe (regression.go): going back would only delay the decision.
	obvious = 0.03
)

// Proposal is the next weight and why.
type Proposal struct {
	Weight float64 `json:"weight"`
	Reason string  `json:"reason"`
	// Hold tells that the weight does not change.
	Hold bool `json:"hold"`
	// Warning tells that the reason is one that people should know.
	Warning bool `json:"warning,omitempty"`
}

// NewSizing begins at the first weight.
func NewSizing(s Settings, c Calibration, start time.Time) *Sizing {
	z := &Sizing{Settings: s, Prior: c.Errors.Rate, Rate: c.RequestRate, LastAt: wall(start), LastStep: wall(start)}
	if z.Prior <= 0 {
		z.Prior = defaultPrior
	}
	z.Weight = s.FirstWeight(c.RequestRate)
	return z
}

// FirstWeight is the weight at which every canary request could fail without
// breaking the exposure budget of one decision interval, at most the middle level.
// An unknown rate (0) gives the growth factor's first step below a percent.
func (s Settings) FirstWeight(rate float64) float64 {
	if s.Growth.First > 0 {
		return math.Min(s.Growth.First, s.Middle)
	}
	if rate <= 0 {
		return math.Min(unknownFirst, s.Middle)
	}
	return math.Min(s.Exposure(rate)/(rate*s.decision()), s.Middle)
}

// unknownFirst is the first weight where the traffic is unknown.
const unknownFirst = 0.01

// Observe folds a sample; one that is missing or broken changes nothing.
func (z *Sizing) Observe(s Sample) {
	if s.broken() != "" {
		return
	}
	at := wall(s.At)
	seconds := math.Max(0, at.Sub(z.LastAt).Seconds())
	z.LastAt = at
	f := math.Exp(-seconds / z.memory(at))
	for _, x := range []*float64{&z.Bad.Canary, &z.Bad.CanaryBad, &z.Bad.Stable, &z.Bad.StableBad, &z.Seconds, &z.Requests} {
		*x *= f
	}
	z.Bad.add(tally{
		CanaryBad: z.bad(s.Canary), Canary: float64(s.Canary.Requests),
		StableBad: z.bad(s.Stable), Stable: float64(s.Stable.Requests),
	})
	z.observeCold(s)
	z.Arrived += s.Canary.Requests
	z.Seconds += seconds
	z.Requests += float64(s.Canary.Requests + s.Stable.Requests)
	if z.Seconds > 0 {
		z.Rate = z.Requests / z.Seconds
	}
}

// bad counts what harms users: errors and answers slower than promised.
func (z *Sizing) bad(a Arm) float64 {
	n := a.Errors
	if z.Settings.SlowerThan > 0 {
		n += a.Latency.slower(z.Settings.SlowerThan.Seconds())
	}
	return float64(min(n, a.Requests))
}

// observeCold counts the slow answers that nobody judges yet.
func (z *Sizing) observeCold(s Sample) {
	limit, cold, usual := z.Settings.SlowerThan.Seconds(), s.Canary.Cold, s.Stable.Latency
	switch {
	case cold.Empty() && s.Canary.WarmInstances >= s.Canary.Instances:
		z.ColdExcess = 0
	case limit > 0 && !cold.Empty() && !usual.Empty():
		share := float64(usual.slower(limit)) / float64(usual.Total())
		z.ColdExcess = math.Max(0, z.ColdExcess+float64(cold.slower(limit))-share*float64(cold.Total()))
	}
}

// Next proposes the weight that follows from v at now. It remembers the proposal
// as the weight in force; call Moved where the platform did something else.
func (z *Sizing) Next(now time.Time, v Verdict) Proposal {
	p := z.next(now, v)
	if !p.Hold {
		z.Moved(p.Weight, now)
	}
	return p
}

// Moved tells which weight is in force since at.
func (z *Sizing) Moved(weight float64, at time.Time) {
	if weight != z.Weight {
		z.Weight, z.LastStep, z.Arrived = weight, wall(at), 0
	}
}

func (z *Sizing) next(now time.Time, v Verdict) Proposal {
	set := &z.Settings
	hold := func(reason string) Proposal { return Proposal{Weight: z.Weight, Reason: reason, Hold: true} }
	divisor := 1.0
	switch {
	case v.Kind == Fail:
		return Proposal{Weight: 0, Reason: "the canary is worse"}
	case v.Kind == Pass:
		return hold("the canary has passed")
	case v.Reason == NoEvidence:
		return hold("no evidence: " + v.Detail)
	case v.Reason == Undecided:
		return hold("undecided")
	case v.Reason == Suspicious && now.Sub(z.LastStep) >= set.Block && z.tooMuch():
		return Proposal{Weight: z.back(), Reason: "one step back, because something may be wrong"}
	case z.Weight >= set.Middle:
		return hold("the middle level is reached")
	case v.Evidence >= set.Stop:
		return hold("the evidence of harm is too strong to grow")
	case now.Sub(z.LastStep) < set.Growth.Every:
		return hold("the time between two steps is not over")
	case z.ColdExcess >= coldShare*set.Exposure(z.Rate):
		return hold("its young instances answer slowly, and are judged by that once they are warm")
	case z.Arrived == 0:
		return hold("no request has reached the canary at this weight yet")
	case v.Reason == Suspicious:
		divisor = set.Growth.SuspicionDivisor
	}
	next, reason := math.Min(z.Weight*set.Growth.Factor, set.Middle), "grown by the factor of one step"
	if step, ok := z.Possible.above(z.Weight); ok && step > next {
		next, reason = step, "grown to the next possible weight"
	}
	limit := z.exposureLimit() / divisor
	if limit < next {
		next, reason = limit, "limited by the exposure budget"
	}
	if next = z.Possible.AtMost(next); next < set.Middle && !z.worth(next) {
		return hold(z.noMore(limit, divisor > 1))
	}
	return Proposal{Weight: next, Reason: reason}
}

// tooMuch tells that a suspicious canary has more traffic than it would be given now, and
// that less would do. It would not where so many requests are bad that they soon convict it.
func (z *Sizing) tooMuch() bool {
	plain := z.Bad.CanaryBad >= (z.stableShare()+obvious)*z.Bad.Canary
	limit := z.exposureLimit() / z.Settings.Growth.SuspicionDivisor
	return z.Bad.Canary > 0 && !plain && limit < z.Weight && z.back() > 0
}

// stableShare is stable's share of bad requests, with the prior as a few events.
func (z *Sizing) stableShare() float64 {
	return (z.Bad.StableBad + stablePrior) / (z.Bad.Stable + stablePrior/z.Prior)
}

// back is the weight one step back, or 0 where that gains nothing: where a block at this
// weight has hardly a bad request, counting is the greater noise.
func (z *Sizing) back() float64 {
	set := &z.Settings
	perBlock := z.Bad.CanaryBad / z.Bad.Canary * z.Rate * set.Block.Seconds() // at all of the traffic
	back := math.Max(1/perBlock, math.Max(set.Middle*leastBack, z.Weight/set.Growth.Factor))
	if back = z.Possible.AtMost(back); back*leastGrowth > z.Weight {
		return 0
	}
	return back
}

// exposureLimit is the weight at which the plausible excess of bad requests uses
// up the budget in one decision interval.
func (z *Sizing) exposureLimit() float64 {
	set := &z.Settings
	excess := upperRate(z.Bad.CanaryBad, z.Bad.Canary, boundNats) - z.stableShare()
	excess = math.Max(excess, leastExcess*(1-set.SLO))
	if z.Rate <= 0 {
		return set.Middle
	}
	return set.Exposure(z.Rate) / (excess * z.Rate * set.decision())
}

// upperRate is the largest rate x/n with y·ln(y/x) − y + x ≤ nats: the Chernoff
// bound of a Poisson count y in n requests.
func upperRate(y, n, nats float64) float64 {
	if n <= 0 {
		return 1
	}
	if y <= 0 {
		return math.Min(1, nats/n)
	}
	x := y + nats + math.Sqrt(2*nats*y)
	for range 30 {
		x -= (y*math.Log(y/x) - y + x - nats) / (1 - y/x)
	}
	return math.Min(1, x/n)
}
