package judge

import "math"

// Where no history tells the latency thresholds, the judge chooses them from what
// stable shows in this release: at first those for the ordinary answers, and once
// there are enough requests those for the rare slow ones.

const (
	earlyEnough   = 1000  // requests from which thresholds are chosen
	earlyLeast    = 100   // … and from which, once earlyPatience is over
	earlyPatience = 120.0 // seconds
	earlyGrowth   = 4     // times as many requests before the next choice
	earlyAll      = 16000 // requests from which nothing rarer is looked for
	// rarer is how much rarer than all others the requests above a new threshold must be.
	rarer = 3
)

// early is what the judge collects to choose thresholds.
type early struct {
	Latency Histogram `json:"latency,omitzero"`
	Seconds float64   `json:"seconds"`
	// Next is the number of requests for the next choice; 0 before the first.
	Next int64 `json:"next,omitempty"`
	// Done tells that there is nothing left to choose.
	Done bool `json:"done,omitempty"`
}

// learnLatency collects stable's latencies, where the calibration came without
// thresholds, and adds metrics when there are enough. Only the stable arm is asked,
// so the choice can neither favour nor accuse the canary.
func (st *state) learnLatency(s Sample, seconds float64) {
	e := &st.Early
	if e.Done || s.Stable.Latency.Empty() {
		return
	}
	e.Latency.add(s.Stable.Latency)
	e.Seconds += seconds
	n := e.Latency.Total()
	switch {
	case e.Next > 0 && n < e.Next:
		return
	case e.Next == 0 && n < earlyEnough && (n < earlyLeast || e.Seconds < earlyPatience):
		return
	}
	e.Next = n * earlyGrowth
	chosen := thresholdsNow(e.Latency)
	if rarest := st.rarest(); !math.IsInf(rarest, 1) {
		kept := chosen[:0]
		for _, th := range chosen {
			if th.Noise.Rate*rarer <= rarest {
				kept = append(kept, th)
			}
		}
		chosen = kept
	}
	st.addLatency(chosen)
	if n >= earlyAll || len(st.Calibration.Latency) == 0 {
		st.Early = early{Done: true}
	}
}

// rarest is the smallest share of stable's early requests above any threshold, +Inf
// without one.
func (st *state) rarest() float64 {
	least, total := math.Inf(1), float64(st.Early.Latency.Total())
	for _, th := range st.Calibration.Latency {
		if n, ok := st.Early.Latency.Above(th.Bound); ok {
			least = math.Min(least, float64(n)/total)
		}
	}
	return least
}

// addLatency adds metrics. They get their share of the capital that there is at
// this moment: the sum stays what it was, and so an e-process.
func (st *state) addLatency(thresholds []Threshold) {
	if len(thresholds) == 0 {
		return
	}
	st.Calibration.Latency = append(st.Calibration.Latency, thresholds...)
	old, added := float64(len(st.Tracks)-1), float64(len(thresholds))
	keep := old / (old + added)
	donors := st.Tracks[1:]
	if old == 0 {
		donors, keep = st.Tracks[:1], st.Settings.ErrorShare
	}
	given := 0.0
	for _, t := range donors {
		given += (1 - keep) * t.Capital * t.Harm.evidence()
		t.Capital *= keep
	}
	for _, th := range thresholds {
		t := latencyTrack(&st.Settings, &st.Calibration, th)
		t.Capital = given / added
		st.Tracks = append(st.Tracks, t)
	}
}

// awaitsLatency tells whether stable has latencies that are too few to judge by.
func (st *state) awaitsLatency() bool {
	return len(st.Calibration.Latency) == 0 && !st.Early.Latency.Empty()
}
