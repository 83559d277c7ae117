package judge

import "math"

func errorTrack(s *Settings, c *Calibration) *track {
	t := &track{Name: "errors", Capital: 1, Harm: newRegression(len(errorEffects)), Proof: newNoninferiority()}
	t.bind(s, c)
	return t
}

func latencyTrack(s *Settings, c *Calibration, th Threshold) *track {
	t := &track{
		Name: "latency > " + seconds(th.Bound), Bound: th.Bound, Capital: 1,
		Harm: newRegression(len(latencyEffects)), Proof: newNoninferiority(),
	}
	t.bind(s, c)
	return t
}

// bind gives the track its rules.
func (t *track) bind(s *Settings, c *Calibration) {
	idle := 0.0
	if c.RequestRate > 0 {
		idle = s.IdlePerHour / (3600 * c.RequestRate)
	}
	t.rules = rules{settings: s, noise: c.Errors, effects: errorEffects, bursts: burstsIn(c.Errors, s.Block.Seconds())}
	margin, slope := s.Errors, 1.0
	if t.Bound != 0 {
		t.rules.effects, t.rules.bursts, margin = latencyEffects, 1, s.Latency
		for _, th := range c.Latency {
			if sameBound(th.Bound, t.Bound) {
				t.rules.noise, slope = th.Noise, th.Slope
				t.rules.cold = c.ColdStart.allowances(t.Bound)
			}
		}
	}
	r, p := margin.Regression, margin.Promotion
	t.rules.regression = hypothesis{ratio: math.Pow(r.Ratio, slope), add: r.Add, factor: 1}
	t.rules.promotion = hypothesis{ratio: math.Pow(p.Ratio, slope), add: p.Add + idle, factor: 1}
}

// counts are the metric's share of a sample. ok is false where the sample says
// nothing about the metric.
func (t *track) counts(s Sample) (c tally, ok bool) {
	if t.Bound == 0 {
		return tally{
			CanaryBad: float64(s.Canary.Errors), Canary: float64(s.Canary.Requests),
			StableBad: float64(s.Stable.Errors), Stable: float64(s.Stable.Requests),
		}, true
	}
	canary, stable := s.Canary.Latency, s.Stable.Latency
	if len(canary.Counts) == 0 && len(stable.Counts) == 0 {
		return c, false
	}
	if allowed := t.rules.cold.at(s.Canary.ColdAge); allowed.factor > 0 {
		if n, known := s.Canary.Cold.Above(t.Bound); known {
			c.ColdBad, c.Cold = float64(n), float64(s.Canary.Cold.Total())
			c.ColdLoad = allowed.factor * c.Cold
			c.ColdDoubt = c.ColdLoad * math.Sqrt(allowed.variance)
		}
	}
	for _, side := range []struct {
		h        Histogram
		bad, all *float64
	}{{canary, &c.CanaryBad, &c.Canary}, {stable, &c.StableBad, &c.Stable}} {
		if len(side.h.Counts) == 0 {
			continue
		}
		n, known := side.h.Above(t.Bound)
		if !known {
			return tally{}, false
		}
		*side.bad, *side.all = float64(n), float64(side.h.Total())
	}
	return c, true
}

// behind is how many instances the metric's counts of an arm come from: for latency
// the warm ones, where the source tells them.
func (t *track) behind(a Arm) int {
	if t.Bound != 0 && a.WarmInstances > 0 {
		return a.WarmInstances
	}
	return a.Instances
}
