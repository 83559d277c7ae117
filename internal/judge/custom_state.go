package judge

import "strings"

// custom is the state of a custom metric: a ratio is a track like the errors, a mean is
// one of its own kind (mean.go).
type custom struct {
	Name string `json:"name"`
	// Capital is what the metric's evidence is worth in the sum.
	Capital float64 `json:"capital"`
	// Missing is why the last sample said nothing of the metric.
	Missing string `json:"missing,omitempty"`
	// At is the end of the last sample that did, in seconds since the judge began: the
	// next one's counts go back to it.
	At    float64 `json:"at"`
	Ratio *track  `json:"ratio,omitempty"`
	Mean  *mean   `json:"mean,omitempty"`

	better Better
}

// addCustom begins the custom metrics. Their capital is the errors', who share what is
// left with latency: the sum stays 1, so more metrics never mean more false alarms.
func (st *state) addCustom() {
	for _, m := range st.Settings.Custom {
		c := &custom{Name: m.Name, Capital: m.Share, Missing: noSampleYet}
		if m.Kind == MeanMetric {
			c.Mean = newMean()
		} else {
			c.Ratio = newRatio(m)
		}
		c.bind(&st.Settings, &st.Calibration, m)
		st.Custom = append(st.Custom, c)
	}
	st.Tracks[0].Capital = st.Settings.builtinShare()
}

func newRatio(m CustomMetric) *track {
	return &track{Name: m.Name, Capital: m.Share, Harm: newRegression(len(errorEffects)), Proof: newNoninferiority()}
}

const noSampleYet = "there has been no sample yet"

// bind gives the metric its rules.
func (c *custom) bind(s *Settings, k *Calibration, m CustomMetric) {
	c.better = m.Better
	if c.Mean != nil {
		c.Mean.bind(s, m, k.customNoise(m))
		return
	}
	c.Ratio.rules = ratioRules(s, m, k.customNoise(m))
}

func ratioRules(s *Settings, m CustomMetric, noise Noise) rules {
	r, p := m.Margin.Regression, m.Margin.Promotion
	return rules{
		bursts:   1, // as for latency: it is not known by instance
		settings: s, noise: noise, effects: errorEffects,
		regression: hypothesis{ratio: r.Ratio, add: r.Add, factor: 1},
		promotion:  hypothesis{ratio: p.Ratio, add: p.Add, factor: 1},
	}
}

// bindCustom binds the metrics of a state that was read back. ok is false where they
// are not those of the settings, or incomplete; name is the first such.
func (st *state) bindCustom() (name string, ok bool) {
	for i, m := range st.Settings.Custom {
		if i >= len(st.Custom) || st.Custom[i] == nil || st.Custom[i].Name != m.Name {
			return m.Name, false
		}
		c := st.Custom[i]
		if (m.Kind == MeanMetric) != (c.Mean != nil) || (c.Mean != nil) == (c.Ratio != nil) {
			return m.Name, false
		}
		c.bind(&st.Settings, &st.Calibration, m)
		if c.Mean != nil && !c.Mean.complete() || c.Ratio != nil && !c.Ratio.complete() {
			return m.Name, false
		}
	}
	return "", len(st.Custom) == len(st.Settings.Custom)
}

// observe folds what the sample says of the metric; it ends at seconds since the judge
// began. Where it says nothing, no evidence changes.
func (c *custom) observe(s *Sample, at float64) {
	x, ok := s.custom(c.Name)
	if !ok {
		c.Missing = "the source does not count it"
		return
	}
	kind := RatioMetric
	if c.Mean != nil {
		kind = MeanMetric
	}
	if c.Missing = x.broken(kind); c.Missing != "" {
		return
	}
	from := c.At
	c.At = at
	if t := c.Mean; t != nil {
		t.CanaryInstances, t.StableInstances = s.Canary.Instances, s.Stable.Instances
		t.fold(from, at, x, s.Weight)
		return
	}
	c.Ratio.CanaryInstances, c.Ratio.StableInstances = s.Canary.Instances, s.Stable.Instances
	c.Ratio.fold(from, at, tally{
		CanaryBad: float64(x.Canary.Bad), Canary: float64(x.Canary.All),
		StableBad: float64(x.Stable.Bad), Stable: float64(x.Stable.All),
	}, s.Weight)
}

func (c *custom) harm() *regression {
	if c.Mean != nil {
		return &c.Mean.Harm
	}
	return &c.Ratio.Harm
}

func (c *custom) proof() *noninferiority {
	if c.Mean != nil {
		return &c.Mean.Proof
	}
	return &c.Ratio.Proof
}

func (c *custom) restartProof() {
	if c.Mean != nil {
		c.Mean.restartProof()
		return
	}
	c.Ratio.restartProof()
}

// events are how many events, or values, each arm has had.
func (c *custom) events() (canary, stable float64) {
	if c.Mean != nil {
		return c.Mean.Total.Canary.N, c.Mean.Total.Stable.N
	}
	return c.Ratio.Total.Canary, c.Ratio.Total.Stable
}

// unknownCustom says which custom metric there is nothing to judge by, or nothing: one
// that the last sample had nothing of, or with less than least events in an arm.
func (st *state) unknownCustom(least float64) string {
	for _, c := range st.Custom {
		canary, stable := c.events()
		switch {
		case c.Missing != "":
			return spoken(c.Name) + ": " + c.Missing
		case canary < least:
			return spoken(c.Name) + ": the canary had too few to compare"
		case stable < least && st.Weight < 1:
			return spoken(c.Name) + ": the running version had too few to compare"
		}
	}
	return ""
}

// leastCustom is how many events of a custom metric each arm needs before a canary may
// be called undecided.
const leastCustom = 30

// spoken is a name for a sentence: "order value" for order-value.
func spoken(name string) string { return strings.ReplaceAll(name, "-", " ") }

// learnedCustom is the noise of the custom metrics, with the rates that stable showed.
func (st *state) learnedCustom() []CustomNoise {
	var all []CustomNoise
	for i, c := range st.Custom {
		n := CustomNoise{Name: c.Name, Noise: st.Calibration.customNoise(st.Settings.Custom[i])}
		if c.Ratio != nil {
			n.Noise.Rate, n.Noise.Events = c.Ratio.usualRate(), historyEvents
		}
		all = append(all, n)
	}
	return all
}
