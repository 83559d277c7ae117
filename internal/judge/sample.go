package judge

import "time"

// Sample is what both arms did in one interval, as increments since the last
// good sample: a missed scrape is contained in the next one, so that nothing is
// ever lost or guessed.
type Sample struct {
	// At is the end of the interval, the same instant for both arms.
	At time.Time `json:"at"`
	// Weight is the canary's share of the traffic in force over the interval, in [0, 1].
	Weight float64 `json:"weight"`
	// Missing says why the interval carries no evidence (a source that is down,
	// empty, stale, not a number, without one arm, counting backwards). The arms
	// are then ignored: missing is not zero.
	Missing string `json:"missing,omitempty"`

	Stable Arm `json:"stable"`
	Canary Arm `json:"canary"`
	// Custom are the custom metrics that the source was asked for.
	Custom []CustomSample `json:"custom,omitempty"`
}

// Arm is one side of the comparison over one interval.
type Arm struct {
	// Requests and Errors are counts ≥ 0 with Errors ≤ Requests. For a service
	// without requests of its own they are units of work done and failed.
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"`
	// ErrorsBy are the errors of those instances that had any: empty if none had, nil
	// where the source cannot tell instances apart. What they lack to Errors is of
	// instances that are not known.
	ErrorsBy []InstanceErrors `json:"errorsBy,omitzero"`
	// Latency counts the requests of warm instances only (older than the
	// warm-up), so its total may be below Requests. Empty where the source has none.
	Latency Histogram `json:"latency,omitzero"`
	// Cold counts the requests of the other instances, where the source tells them.
	// ColdAge is how old the youngest of them was, in seconds, when the interval began.
	Cold    Histogram `json:"cold,omitzero"`
	ColdAge float64   `json:"coldAge,omitempty"`
	// Instances is the number of instances behind the arm, at least 1.
	Instances int `json:"instances"`
	// WarmInstances is how many of them are older than the warm-up.
	WarmInstances int `json:"warmInstances"`
}

// InstanceErrors are one instance's errors over an interval, at least 1.
type InstanceErrors struct {
	// Instance tells it from the others of its arm, in all samples.
	Instance string `json:"instance"`
	Errors   int64  `json:"errors"`
}

// Histogram counts requests by how long they took. Counts[i] is the number of
// requests with Bounds[i-1] < duration ≤ Bounds[i]; Counts has one entry more
// than Bounds, for everything above the last bound. Bounds are seconds and rise
// strictly. The zero value is an empty histogram.
type Histogram struct {
	Bounds []float64 `json:"bounds,omitempty"`
	Counts []int64   `json:"counts,omitempty"`
}
