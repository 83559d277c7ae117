package judge

import (
	"math"
	"time"
)

// leaning is the share of the evidence for a rollback that is enough once the
// observation is over; leaningProof the log evidence of a proof that went wrong.
const (
	leaning      = 0.25
	leaningProof = -2.5
)

// Verdict decides at now and gives all the numbers.
func (j *Judge) Verdict(now time.Time) Verdict {
	v := j.Decide(now)
	if !v.Watching && (v.Reason == Collecting || v.Reason == Undecided) {
		v.Detail = j.state.awaited(&v)
	}
	for _, t := range j.state.Tracks {
		v.Metrics = append(v.Metrics, t.verdict())
	}
	for _, c := range j.state.Custom {
		v.Metrics = append(v.Metrics, c.verdict())
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
	proven := v.Proof >= v.ProofThreshold && !st.awaitsLatency() && st.unknownCustom(1) == ""
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
	case st.unknownCustom(leastCustom) != "":
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, st.unknownCustom(leastCustom)
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
	suspicious := v.Evidence >= set.Suspicious || over && st.Tracks[0].concentrated()
	switch {
	case over && errors.Stable == 0 && st.Weight < 1:
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, "the holdback had no requests to compare with"
	case over && errors.Canary == 0:
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, "the new revision had no requests"
	case over && !suspicious && st.unknownCustom(1) != "":
		v.Kind, v.Reason, v.Detail = Hold, NoEvidence, st.unknownCustom(1)
	case over && !suspicious:
		v.Kind, v.Reason = Pass, NotWorse
		if errors.Stable == 0 {
			v.Detail = "compared with the time before, because no traffic stays on stable"
		}
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
	case !st.Sampled:
		return "there has been no sample yet"
	case now.Sub(st.LastAt) > st.Settings.Stale:
		return "the last sample is " + now.Sub(st.LastAt).Round(time.Second).String() + " old"
	}
	return st.absentTraffic()
}

// awaited says what a pass is waiting for.
func (st *state) awaited(v *Verdict) string {
	switch {
	case !st.Middle:
		return "the middle level has not been reached"
	case st.awaitsLatency():
		return "there are too few latencies of stable to choose thresholds"
	case v.Proof < v.ProofThreshold:
		name, _ := st.weakest()
		return "not yet proven: " + spoken(name)
	case st.unknownCustom(1) != "":
		return st.unknownCustom(1)
	}
	return "the time at the middle level is not over"
}

func (st *state) strongest() float64 {
	top := 0.0
	for _, t := range st.Tracks {
		top = math.Max(top, t.Harm.strongest())
	}
	for _, c := range st.Custom {
		top = math.Max(top, c.harm().strongest())
	}
	return top
}

func (st *state) proof() float64 {
	_, proof := st.weakest()
	return proof
}

// weakest is the metric with the least proof, and its log evidence.
func (st *state) weakest() (name string, proof float64) {
	name, proof = st.Tracks[0].Name, st.Tracks[0].Proof.logEvidence()
	for _, t := range st.Tracks[1:] {
		if p := t.Proof.logEvidence(); p < proof {
			name, proof = t.Name, p
		}
	}
	for _, c := range st.Custom {
		if p := c.proof().logEvidence(); p < proof {
			name, proof = c.Name, p
		}
	}
	return name, proof
}
