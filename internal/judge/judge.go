package judge

import (
	"encoding/json"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Judge is the state of one comparison: of one canary, or of one watch. Its JSON is
// the whole state; a judge read back goes on exactly where this one stopped. It is
// not safe for concurrent use.
type Judge struct{ state state }

// state is what a Judge remembers.
type state struct {
	Settings    Settings    `json:"settings"`
	Calibration Calibration `json:"calibration"`
	Start       time.Time   `json:"start"`
	// LastAt is the end of the last sample, LastGood that of the last with
	// evidence. Neither goes back when a clock does.
	LastAt   time.Time `json:"lastAt"`
	LastGood time.Time `json:"lastGood,omitzero"`
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
	// Early collects stable's latencies until thresholds can be chosen.
	Early        Histogram `json:"early,omitzero"`
	EarlySeconds float64   `json:"earlySeconds,omitempty"`
	// Convicted is the largest E that reached the threshold; 0 if none did.
	Convicted float64 `json:"convicted,omitempty"`
	// Expected and Got are the canary's requests by weight and in fact, since its traffic was last seen.
	Expected float64 `json:"expected"`
	Got      float64 `json:"got"`
}

// New begins a comparison at start, the beginning of the first sample.
func New(s Settings, c Calibration, start time.Time) *Judge {
	j := &Judge{state: state{Settings: s, Calibration: c, Start: start, LastAt: start}}
	st := &j.state
	c.Latency = append([]Threshold(nil), c.Latency...)
	st.Calibration = c
	st.Tracks = append(st.Tracks, errorTrack(&st.Settings, &st.Calibration))
	st.addLatency()
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
	// A clock that goes back loses time, not counts.
	seconds := math.Max(0, s.At.Sub(st.LastAt).Seconds())
	st.LastAt, st.LastGood = s.At, s.At
	st.enterMiddle(s.Weight)
	from := st.Elapsed
	st.Elapsed += seconds
	st.Weight = s.Weight
	st.learnLatency(s, seconds)
	for i, t := range st.Tracks {
		counts, instances, ok := t.counts(s)
		if !ok {
			continue
		}
		t.CanaryInstances, t.StableInstances = instances, s.Stable.Instances
		if i > 0 {
			t.StableInstances = max(s.Stable.WarmInstances, 1)
		}
		t.fold(from, st.Elapsed, counts, s.Weight)
	}
	st.watchTraffic(s)
	if s.Weight > 0 {
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

// Evidence is E, the weight of the evidence that the canary is worse: 1 at the
// start, on average not growing for a healthy canary, 1/FalseAlarm for a rollback.
func (j *Judge) Evidence() float64 {
	e := 0.0
	for _, t := range j.state.Tracks {
		e += t.Capital * t.Harm.evidence()
	}
	return e
}

// Calibration is what is known about the service now: what the judge began with,
// and what the stable arm has shown since. A watch begins with the canary's. Only
// the calibration is handed on; evidence is not.
func (j *Judge) Calibration() Calibration {
	c := j.state.Calibration
	c.Latency = append([]Threshold(nil), c.Latency...)
	learn := func(n *Noise, t *track) {
		bad, all := t.PastBad+t.Block.StableBad, t.Past+t.Block.Stable
		n.Rate = (n.Events + bad) / (n.Events/n.Rate + all)
		n.Events = historyEvents
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
}

const (
	earlyEnough   = 1000  // requests from which thresholds are chosen
	earlyLeast    = 100   // … and from which, once earlyPatience is over
	earlyPatience = 120.0 // seconds
)

// learnLatency collects stable's first latencies, where the calibration has no
// thresholds, and adds the latency metrics once there are enough. Only the stable
// arm is asked, so the choice cannot favour or accuse the canary.
func (st *state) learnLatency(s Sample, seconds float64) {
	if len(st.Calibration.Latency) > 0 || s.Stable.Latency.Empty() {
		return
	}
	st.Early.add(s.Stable.Latency)
	st.EarlySeconds += seconds
	n := st.Early.Total()
	if n < earlyEnough && (n < earlyLeast || st.EarlySeconds < earlyPatience) {
		return
	}
	st.Calibration.Latency = thresholdsNow(st.Early)
	if len(st.Calibration.Latency) > 0 {
		st.Early = Histogram{}
	}
	st.addLatency()
}

// addLatency begins the latency metrics. They get their share of the capital that
// the errors have at this moment: the sum stays what it was, and so an e-process.
func (st *state) addLatency() {
	n := len(st.Calibration.Latency)
	if n == 0 {
		return
	}
	errors := st.Tracks[0]
	capital := errors.Harm.evidence() * (1 - st.Settings.ErrorShare) / float64(n)
	errors.Capital = st.Settings.ErrorShare
	for _, th := range st.Calibration.Latency {
		t := latencyTrack(&st.Settings, &st.Calibration, th)
		t.Capital = capital
		st.Tracks = append(st.Tracks, t)
	}
}

// counts are the metric's share of a sample, and how many canary instances are
// behind it. ok is false where the sample says nothing about the metric.
func (t *track) counts(s Sample) (c tally, instances int, ok bool) {
	if t.Bound == 0 {
		return tally{
			CanaryBad: float64(s.Canary.Errors), Canary: float64(s.Canary.Requests),
			StableBad: float64(s.Stable.Errors), Stable: float64(s.Stable.Requests),
		}, s.Canary.Instances, true
	}
	canary, stable := s.Canary.Latency, s.Stable.Latency
	if len(canary.Counts) == 0 && len(stable.Counts) == 0 {
		return c, 0, false
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
			return tally{}, 0, false
		}
		*side.bad, *side.all = float64(n), float64(side.h.Total())
	}
	return c, s.Canary.WarmInstances, true
}

// noTraffic is the log of the chance below which too few canary requests mean that
// the traffic does not arrive.
const noTraffic = 13.8 // −ln 10⁻⁶

// watchTraffic compares the canary's requests with what its weight promises.
func (st *state) watchTraffic(s Sample) {
	if s.Weight > 0 && s.Weight < 1 {
		st.Expected += float64(s.Stable.Requests) * s.Weight / (1 - s.Weight)
	}
	st.Got += float64(s.Canary.Requests)
	if st.Got >= st.Expected/2 {
		st.Expected, st.Got = 0, 0
	}
}

// starved tells whether P(Poisson(Expected/2) ≤ Got) is below 10⁻⁶, by Chernoff's bound.
func (st *state) starved() bool {
	mean := st.Expected / 2
	if st.Got >= mean {
		return false
	}
	bound := mean - st.Got
	if st.Got > 0 {
		bound += st.Got * math.Log(st.Got/mean)
	}
	return bound > noTraffic
}

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
	t.rules = rules{settings: s, noise: c.Errors, effects: errorEffects}
	margin, slope := s.Errors, 1.0
	if t.Bound != 0 {
		t.rules.effects, margin = latencyEffects, s.Latency
		for _, th := range c.Latency {
			if sameBound(th.Bound, t.Bound) {
				t.rules.noise, slope = th.Noise, th.Slope
			}
		}
	}
	r, p := margin.Regression, margin.Promotion
	t.rules.regression = hypothesis{ratio: math.Pow(r.Ratio, slope), add: r.Add, factor: 1}
	t.rules.promotion = hypothesis{ratio: math.Pow(p.Ratio, slope), add: p.Add + idle, factor: 1}
}

// MarshalJSON writes the whole state.
func (j *Judge) MarshalJSON() ([]byte, error) { return json.Marshal(&j.state) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (j *Judge) UnmarshalJSON(b []byte) error {
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fault.Errorf(fault.Invalid, "read the judge's state: %w", err)
	}
	if len(st.Tracks) == 0 || st.Tracks[0] == nil || st.Tracks[0].Bound != 0 {
		return fault.Errorf(fault.Invalid, "read the judge's state: it has no errors metric")
	}
	j.state = st
	for _, t := range j.state.Tracks {
		if t == nil {
			return fault.Errorf(fault.Invalid, "read the judge's state: it has an empty metric")
		}
		t.bind(&j.state.Settings, &j.state.Calibration)
		if !t.Harm.complete(len(t.rules.effects)) || !t.Proof.complete() || (t.Ratio != nil && len(t.Ratio) != ratioPoints) {
			return fault.Errorf(fault.Invalid, "read the judge's state: the metric %q is incomplete", t.Name)
		}
	}
	return nil
}

// complete tells whether r, read back, has the right shape, and makes its scratch space.
func (r *regression) complete(n int) bool {
	r.now = make([]float64, n)
	return len(r.Booked) == n && len(r.Open) == n && len(r.Start) == n
}

func (p *noninferiority) complete() bool {
	n := len(equalRatios)
	p.now = make([]float64, n)
	return len(p.Booked) == n && len(p.Open) == n && len(p.Start) == n
}
