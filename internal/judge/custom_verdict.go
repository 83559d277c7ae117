package judge

import "math"

func (c *custom) verdict() MetricVerdict {
	var m MetricVerdict
	if c.Mean != nil {
		m = c.Mean.verdict()
	} else {
		m = c.Ratio.verdict()
		m.Kind = RatioMetric
	}
	m.Name, m.Share, m.Better = c.Name, c.Capital, c.better
	return m
}

func (t *mean) verdict() MetricVerdict {
	m := MetricVerdict{
		Kind: MeanMetric, Canary: meanVerdict(t.Total.Canary), Stable: meanVerdict(t.Total.Stable),
		Evidence: t.Harm.evidence(), Proof: t.Proof.logEvidence(), InstanceAllowance: math.Exp(t.allowance()),
	}
	usual := m.Stable.Mean
	if usual == 0 {
		usual = t.Early.mean()
	}
	m.Tolerated = usual * math.Exp(t.rules.sign*(t.rules.tolerated+t.allowance()))
	m.Margin = usual * math.Exp(t.rules.sign*t.rules.margin)
	if r, ok := t.ratio(); ok {
		m.Ratio = &r
	}
	return m
}

// meanVerdict has the normal interval of the mean, for one look.
func meanVerdict(s sums) ArmVerdict {
	v := ArmVerdict{Requests: int64(s.N), Mean: s.mean(), Deviation: s.deviation()}
	half := 0.0
	if s.N > 0 {
		half = 1.96 * v.Deviation / math.Sqrt(s.N)
	}
	v.Interval = Interval{math.Max(0, v.Mean-half), v.Mean + half}
	return v
}

// likelyShift is the standard deviation of the log ratios that the interval expects.
const likelyShift = 0.3

// ratio is the 95 % interval of the canary's mean over stable's, however often one
// looks: the normal mixture (Robbins 1970) over the blocks, widened by the allowance
// for instances. No decision uses it.
func (t *mean) ratio() (i Interval, ok bool) {
	precision, weighted := t.Precision, t.Weighted
	if l, open := t.compare(); open && t.InBlock {
		precision += 1 / l.variance
		weighted += t.rules.sign * l.x / l.variance
	}
	if precision == 0 {
		return Interval{}, false
	}
	p := precision * likelyShift * likelyShift
	half := math.Sqrt(2*(precision+1/(likelyShift*likelyShift))*(math.Log(ratioMiss)+math.Log1p(p)/2)) / precision
	f := t.allowance()
	low, high := weighted/precision-half-f, weighted/precision+half+f
	return Interval{math.Exp(math.Max(-mostLogRatio, low)), math.Exp(math.Min(mostLogRatio, high))}, true
}
