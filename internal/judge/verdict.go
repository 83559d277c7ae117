package judge

import (
	"math"
	"time"
)

// Kind is what a verdict says.
type Kind string

// The three kinds.
const (
	Pass Kind = "pass"
	Fail Kind = "fail"
	Hold Kind = "hold"
)

// Reason is why.
type Reason string

// The reasons. Collecting, suspicious, undecided and no evidence are holds.
const (
	// NotWorse: non-inferiority is proven for every metric (or a watch is over).
	NotWorse Reason = "not worse"
	// Worse: the evidence of harm reached the threshold.
	Worse Reason = "worse"
	// LeansToHarm: at the end of the observation a quarter of that evidence was there.
	LeansToHarm Reason = "leans to harm"
	// Collecting: all is well, the proof is not complete.
	Collecting Reason = "collecting"
	// Suspicious: something points to harm. The growth is slowed.
	Suspicious Reason = "suspicious"
	// Undecided: the observation is over, with proof of neither.
	Undecided Reason = "undecided"
	// NoEvidence: a sample is missing or broken, or an arm has no traffic.
	NoEvidence Reason = "no evidence"
)

// leaning is the share of the evidence for a rollback that is enough once the
// observation is over; leaningProof the log evidence of a proof that went wrong.
const (
	leaning      = 0.25
	leaningProof = -2.5
)

// Verdict is the judge's decision with its numbers.
type Verdict struct {
	Kind   Kind   `json:"kind"`
	Reason Reason `json:"reason"`
	// Detail says in words what is missing or awaited; may be empty.
	Detail string `json:"detail,omitempty"`
	// ForPerson tells, when undecided, that the canary leans to harm: a person
	// must look, whatever the environment does when undecided.
	ForPerson bool `json:"forPerson,omitempty"`

	// Evidence is E; a rollback needs Threshold.
	Evidence  float64 `json:"evidence"`
	Threshold float64 `json:"threshold"`
	// Strongest is the largest undiluted evidence of one effect.
	Strongest float64 `json:"strongest"`
	// Proof is the smallest log evidence of non-inferiority over the metrics; a
	// pass needs ProofThreshold. Both are 0 in a watch.
	Proof          float64 `json:"proof"`
	ProofThreshold float64 `json:"proofThreshold"`

	// Weight is the canary's weight in the last sample, Observed the time judged
	// so far, AtMiddle the part of it at the middle level or above.
	Weight   float64       `json:"weight"`
	Observed time.Duration `json:"observed"`
	AtMiddle time.Duration `json:"atMiddle"`
	Watching bool          `json:"watching,omitempty"`

	Metrics []MetricVerdict `json:"metrics,omitempty"`
}

// MetricVerdict is what one metric contributes.
type MetricVerdict struct {
	// Name is "errors" or "latency > 250ms".
	Name string `json:"name"`
	// Bound is the latency in seconds above which a request counts; 0 for errors.
	Bound  float64    `json:"bound,omitempty"`
	Canary ArmVerdict `json:"canary"`
	Stable ArmVerdict `json:"stable"`
	// Ratio is the canary's rate over stable's with 95 % confidence, however often
	// one looks; nil while there is nothing to compare.
	Ratio *Interval `json:"ratio,omitempty"`
	// Extra is how many bad requests the canary had beyond stable's rate, at least 0.
	Extra float64 `json:"extra"`
	// Evidence is the metric's own E, Share its part in the sum.
	Evidence float64 `json:"evidence"`
	Share    float64 `json:"share"`
	// Proof is the metric's log evidence of non-inferiority.
	Proof float64 `json:"proof"`
	// Tolerated and Margin are the rates allowed beside stable's rate now: beyond
	// Tolerated counts as harm, below Margin passes.
	Tolerated float64 `json:"tolerated"`
	Margin    float64 `json:"margin"`
	// InstanceAllowance is the factor granted for lasting differences of instances.
	InstanceAllowance float64 `json:"instanceAllowance"`
}

// ArmVerdict is one arm's counts over all samples, its rate, and the rate's 95 %
// interval by Wilson's score, which holds for one look.
type ArmVerdict struct {
	Bad      int64    `json:"bad"`
	Requests int64    `json:"requests"`
	Rate     float64  `json:"rate"`
	Interval Interval `json:"interval"`
}

// Verdict decides at now and gives all the numbers.
func (j *Judge) Verdict(now time.Time) Verdict {
	v := j.Decide(now)
	if !v.Watching && (v.Reason == Collecting || v.Reason == Undecided) {
		v.Detail = j.state.awaited(&v)
	}
	for _, t := range j.state.Tracks {
		v.Metrics = append(v.Metrics, t.verdict())
	}
	return v
}

// Decide is Verdict without the metrics and without what a pass waits for: the same
// decision at little cost.
func (j *Judge) Decide(now time.Time) Verdict {
	st := &j.state
	v := Verdict{
		Evidence: j.Evidence(), Threshold: 1 / st.Settings.FalseAlarm, Strongest: st.strongest(),
		Weight: st.Weight, Observed: duration(st.Observed), AtMiddle: duration(st.AtMiddle),
		Watching: st.Settings.Watch > 0,
	}
	if !v.Watching {
		v.Proof, v.ProofThreshold = st.proof(), math.Log(1/st.Settings.FalseProof)
	}
	if st.Convicted > 0 {
		v.Kind, v.Reason, v.Evidence = Fail, Worse, math.Max(v.Evidence, st.Convicted)
		return v
	}
	if v.Detail = st.missing(now); v.Detail != "" {
		v.Kind, v.Reason = Hold, NoEvidence
		return v
	}
	if v.Watching {
		st.decideWatch(&v)
	} else {
		st.decideCanary(&v, now)
	}
	return v
}

func (st *state) decideCanary(v *Verdict, now time.Time) {
	set := &st.Settings
	suspicious := v.Evidence >= set.Suspicious || v.Strongest >= set.SuspiciousEffect
	proven := v.Proof >= v.ProofThreshold && !st.awaitsLatency()
	switch {
	case st.Middle && st.AtMiddle >= set.Dwell.Seconds() && proven && !suspicious:
		v.Kind, v.Reason = Pass, NotWorse
	case now.Sub(st.Start) >= set.Observation:
		st.decideLate(v, suspicious)
	case suspicious:
		v.Kind, v.Reason = Hold, Suspicious
	default:
		v.Kind, v.Reason = Hold, Collecting
	}
}

// decideLate is for a canary without proof at the end of the observation.
func (st *state) decideLate(v *Verdict, suspicious bool) {
	errors := st.Tracks[0].Total
	least := float64(max(1, st.Settings.MinimumRequests))
	switch {
	case v.Evidence >= leaning*v.Threshold:
		v.Kind, v.Reason = Fail, LeansToHarm
	case math.Min(errors.Canary, errors.Stable) < least:
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, "one arm had too few requests to compare"
	default:
		v.Kind, v.Reason = Hold, Undecided
		v.ForPerson = suspicious || v.Proof < leaningProof
	}
}

func (st *state) decideWatch(v *Verdict) {
	set := &st.Settings
	errors := st.Tracks[0].Total
	over := st.Observed >= set.Watch.Seconds()
	long := st.Observed >= 3*set.Watch.Seconds()
	suspicious := v.Evidence >= set.Suspicious
	switch {
	case over && errors.Canary == 0:
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, "the new revision had no requests"
	case over && errors.Stable == 0 && !long:
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, "the holdback had no requests to compare with"
	case over && !suspicious:
		v.Kind, v.Reason = Pass, NotWorse
	case long && v.Evidence >= leaning*v.Threshold:
		v.Kind, v.Reason = Fail, LeansToHarm
	case long:
		v.Kind, v.Reason, v.ForPerson = Hold, Undecided, true
	case suspicious:
		v.Kind, v.Reason = Hold, Suspicious
	default:
		v.Kind, v.Reason = Hold, Collecting
	}
}

// missing says why there is no evidence at now, or nothing.
func (st *state) missing(now time.Time) string {
	switch {
	case st.Missing != "":
		return st.Missing
	case st.LastGood.IsZero():
		return "there has been no sample yet"
	case now.Sub(st.LastAt) > st.Settings.Stale:
		return "the last sample is " + now.Sub(st.LastAt).Round(time.Second).String() + " old"
	case st.starved():
		return "the canary gets less than half of the requests that its weight promises"
	}
	return ""
}

// awaited says what a pass is waiting for.
func (st *state) awaited(v *Verdict) string {
	switch {
	case !st.Middle:
		return "the middle level has not been reached"
	case st.awaitsLatency():
		return "there are too few latencies of stable to choose thresholds"
	case v.Proof < v.ProofThreshold:
		return "not yet proven: " + st.weakest().Name
	}
	return "the time at the middle level is not over"
}

// awaitsLatency tells whether stable has latencies that are too few to judge by.
func (st *state) awaitsLatency() bool { return len(st.Calibration.Latency) == 0 && !st.Early.Empty() }

func (st *state) strongest() float64 {
	top := 0.0
	for _, t := range st.Tracks {
		top = math.Max(top, t.Harm.strongest())
	}
	return top
}

func (st *state) proof() float64 { return st.weakest().Proof.logEvidence() }

// weakest is the metric with the least proof.
func (st *state) weakest() *track {
	w := st.Tracks[0]
	for _, t := range st.Tracks[1:] {
		if t.Proof.logEvidence() < w.Proof.logEvidence() {
			w = t
		}
	}
	return w
}

func (t *track) verdict() MetricVerdict {
	m := MetricVerdict{
		Name: t.Name, Bound: t.Bound,
		Canary:   armVerdict(t.Total.CanaryBad, t.Total.Canary),
		Stable:   armVerdict(t.Total.StableBad, t.Total.Stable),
		Evidence: t.Harm.evidence(), Share: t.Capital, Proof: t.Proof.logEvidence(),
		InstanceAllowance: t.instanceAllowance(),
	}
	if r, ok := t.ratio(); ok {
		m.Ratio = &r
	}
	m.Extra = math.Max(0, t.Total.CanaryBad-t.Total.Canary*m.Stable.Rate)
	r, p := t.rules.regression, t.rules.promotion
	m.Tolerated = math.Min(1, r.ratio*m.InstanceAllowance*m.Stable.Rate+r.add)
	m.Margin = math.Min(1, p.ratio*m.Stable.Rate+p.add)
	return m
}

func armVerdict(bad, all float64) ArmVerdict {
	v := ArmVerdict{Bad: int64(bad), Requests: int64(all), Interval: wilson(bad, all)}
	if all > 0 {
		v.Rate = bad / all
	}
	return v
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
}
