package judge

import (
	"math"
	"time"
)

// Judge is the state of one comparison: of one canary, or of one watch. Its JSON is
// the whole state; a judge read back goes on exactly where this one stopped. It must
// not be copied once in use, and is not safe for concurrent use.
type Judge struct{ state state }

// state is what a Judge remembers.
type state struct {
	Settings    Settings    `json:"settings"`
	Calibration Calibration `json:"calibration"`
	Start       time.Time   `json:"start"`
	// LastAt is the end of the last good sample, Sampled whether there has been one.
	LastAt  time.Time `json:"lastAt"`
	Sampled bool      `json:"sampled"`
	// Missing is why the last sample carried no evidence.
	Missing string `json:"missing,omitempty"`
	// Elapsed is the time folded so far in seconds, Observed that with both arms,
	// where a gap counts at most Stale; AtMiddle is the part at the middle level.
	Elapsed  float64 `json:"elapsed"`
	Observed float64 `json:"observed"`
	AtMiddle float64 `json:"atMiddle"`
	// Middle tells whether the weight has reached the middle level.
	Middle bool    `json:"middle"`
	Weight float64 `json:"weight"`
	// Tracks are the metrics; the first is the errors.
	Tracks []*track `json:"tracks"`
	// Custom are the custom metrics, in the order of the settings.
	Custom []*custom `json:"custom,omitempty"`
	// Early collects stable's latencies to choose thresholds from.
	Early early `json:"early,omitzero"`
	// Convicted is the largest E that reached the threshold; 0 if none did.
	Convicted float64 `json:"convicted,omitempty"`
	// Traffic is whether both arms get what the weight promises.
	Traffic traffic `json:"traffic"`
}

// New begins a comparison at start, the beginning of the first sample.
func New(s Settings, c Calibration, start time.Time) *Judge {
	start = wall(start)
	j := &Judge{state: state{Settings: s, Calibration: c, Start: start, LastAt: start}}
	st := &j.state
	st.Calibration.Latency = nil
	st.Tracks = append(st.Tracks, errorTrack(&st.Settings, &st.Calibration))
	st.addCustom()
	st.addLatency(c.Latency)
	st.Early.Done = len(c.Latency) > 0
	return j
}

// Observe folds a sample; give each one once, in order. A sample that is missing or
// broken changes no evidence, only what the verdict says about it: its counts come
// with the next good one.
func (j *Judge) Observe(s Sample) {
	st := &j.state
	if st.Missing = s.broken(); st.Missing != "" {
		return
	}
	s.At = wall(s.At)
	// A clock that goes back loses time, not counts.
	seconds := math.Max(0, s.At.Sub(st.LastAt).Seconds())
	st.LastAt, st.Sampled = s.At, true
	st.enterMiddle(s.Weight)
	from := st.Elapsed
	st.Elapsed += seconds
	st.Weight = s.Weight
	st.learnLatency(s, seconds)
	st.Traffic.watch(s, seconds)
	for _, t := range st.Tracks {
		if counts, ok := t.counts(s); ok {
			t.CanaryInstances, t.StableInstances = t.behind(s.Canary), t.behind(s.Stable)
			if t.Bound == 0 {
				t.attribute(s.Canary.ErrorsBy)
			}
			t.fold(from, st.Elapsed, counts, s.Weight)
		}
	}
	for _, c := range st.Custom {
		c.observe(&s, st.Elapsed)
	}
	if s.Weight > 0 && st.absentTraffic() == "" {
		seconds = math.Min(seconds, st.Settings.Stale.Seconds())
		st.Observed += seconds
		if st.Middle {
			st.AtMiddle += seconds
		}
	}
	if e := j.Evidence(); e >= 1/st.Settings.FalseAlarm {
		st.Convicted = math.Max(st.Convicted, e)
	}
}

// absentTraffic says which traffic is missing, or nothing.
func (st *state) absentTraffic() string {
	return st.Traffic.absent(st.Calibration.RequestRate, st.Settings.Stale)
}

// wall is t as it is written and read back, so that a judge read back computes the same.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

// Evidence is E, the weight of the evidence that the canary is worse: 1 at the
// start, on average not growing for a healthy canary, 1/FalseAlarm for a rollback.
func (j *Judge) Evidence() float64 {
	e := 0.0
	for _, t := range j.state.Tracks {
		e += t.Capital * t.Harm.evidence()
	}
	for _, c := range j.state.Custom {
		e += c.Capital * c.harm().evidence()
	}
	return e
}

// Calibration is what is known about the service now: what the judge began with,
// and what the stable arm has shown since. A watch begins with the canary's. Only
// the calibration is handed on; evidence is not.
func (j *Judge) Calibration() Calibration {
	c := j.state.Calibration
	c.Latency = append([]Threshold(nil), c.Latency...)
	c.Custom = j.state.learnedCustom()
	learn := func(n *Noise, t *track) {
		n.Rate, n.Events = t.usualRate(), historyEvents
	}
	for _, t := range j.state.Tracks {
		if t.Bound == 0 {
			learn(&c.Errors, t)
			continue
		}
		for i := range c.Latency {
			if sameBound(c.Latency[i].Bound, t.Bound) {
				learn(&c.Latency[i].Noise, t)
			}
		}
	}
	return c
}

// enterMiddle restarts the proof when the weight first reaches the middle level.
func (st *state) enterMiddle(weight float64) {
	if st.Middle || weight < st.Settings.Middle-1e-9 {
		return
	}
	st.Middle = true
	if st.Settings.Watch > 0 {
		return
	}
	for _, t := range st.Tracks {
		t.restartProof()
	}
	for _, c := range st.Custom {
		c.restartProof()
	}
}
