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
	// Kind is empty for errors and latency, else that of the custom metric of the name.
	Kind MetricKind `json:"kind,omitempty"`
	// Better is the direction of a custom metric.
	Better Better `json:"better,omitempty"`
	// Bound is the latency in seconds above which a request counts; 0 for errors.
	Bound  float64    `json:"bound,omitempty"`
	Canary ArmVerdict `json:"canary"`
	Stable ArmVerdict `json:"stable"`
	// Ratio is the canary's rate over stable's with 95 % confidence, however often
	// one looks; nil while there is nothing to compare.
	Ratio *Interval `json:"ratio,omitempty"`
	// Extra is how many bad requests the canary had beyond stable's usual rate
	// (which the calibration knows even where the control is small), at least 0.
	Extra float64 `json:"extra"`
	// LeftOut is how many bad requests of the canary do not count as harm because the
	// worst instances have them beyond the others. It is 0 for all but errors, and where
	// the source does not tell instances apart.
	LeftOut float64 `json:"leftOut,omitempty"`
	// Evidence is the metric's own E, Share its part in the sum.
	Evidence float64 `json:"evidence"`
	Share    float64 `json:"share"`
	// Proof is the metric's log evidence of non-inferiority.
	Proof float64 `json:"proof"`
	// Tolerated and Margin are the rates allowed beside stable's usual rate: beyond
	// Tolerated counts as harm, below Margin passes. Of a mean they are means.
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
	// Mean and Deviation are those of the values of a mean, of which there are Requests.
	// The interval is then the mean's, and there is neither Bad nor Rate.
	Mean      float64 `json:"mean,omitempty"`
	Deviation float64 `json:"deviation,omitempty"`
}

func (t *track) verdict() MetricVerdict {
	m := MetricVerdict{
		Name: t.Name, Bound: t.Bound,
		Canary:   armVerdict(t.Total.CanaryBad+t.Total.ColdBad, t.Total.Canary+t.Total.Cold),
		Stable:   armVerdict(t.Total.StableBad, t.Total.Stable),
		Evidence: t.Harm.evidence(), Share: t.Capital, Proof: t.Proof.logEvidence(),
		InstanceAllowance: t.instanceAllowance(), LeftOut: t.Left.Events + t.blockLeftOut(),
	}
	if r, ok := t.ratio(); ok {
		m.Ratio = &r
	}
	usual := t.usualRate()
	m.Extra = math.Max(0, t.Total.CanaryBad-t.Total.Canary*usual)
	r, p := t.rules.regression, t.rules.promotion
	m.Tolerated = math.Min(1, r.ratio*m.InstanceAllowance*usual+r.add)
	m.Margin = math.Min(1, p.ratio*usual+p.add)
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
