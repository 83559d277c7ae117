package judge

// CustomHistory is the stable arm's past of a custom ratio: the bad events stand as
// Errors, all events as Requests.
type CustomHistory struct {
	Name      string            `json:"name"`
	Instances []InstanceHistory `json:"instances,omitempty"`
}

// customNoises are what the history tells about the custom ratios. Of means a history
// tells nothing, and those without one have priors.
func customNoises(h History, s Settings, seed uint64) []CustomNoise {
	var all []CustomNoise
	for i, m := range s.Custom {
		past, ok := h.custom(m)
		if !ok {
			continue
		}
		all = append(all, CustomNoise{Name: m.Name, Noise: calibrated(past.errors(), ratioPrior, s, seed+100+uint64(i))})
	}
	return all
}

// custom is the history of a ratio as if it were that of errors; ok is false where
// there is none, or a broken one.
func (h History) custom(m CustomMetric) (past History, ok bool) {
	for _, c := range h.Custom {
		past = History{Instances: c.Instances}
		if c.Name == m.Name && m.Kind == RatioMetric && past.Minutes() > 0 && past.Validate() == nil {
			return past, true
		}
	}
	return History{}, false
}

// audited is a ratio's history, and what begins a track of it with the noise of now; ok
// is false where there are too few instances to make imaginary canaries of.
func (n *CustomNoise) audited(h History, s *Settings) (past series, begin func() *track, ok bool) {
	for _, m := range s.Custom {
		if m.Name != n.Name {
			continue
		}
		known, found := h.custom(m)
		if !found || len(known.used()) < 2 || known.Minutes() < leastHistory {
			return series{}, nil, false
		}
		return known.errors(), func() *track {
			t := newRatio(m)
			t.rules = ratioRules(s, m, n.Noise)
			return t
		}, true
	}
	return series{}, nil, false
}
