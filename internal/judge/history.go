package judge

import (
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// History is the stable arm's past per instance, in blocks of one minute, oldest
// first. The last two hours are good, the last day is better. It teaches the judge
// how noisy the service is; without it the judge uses cautious priors.
type History struct {
	// Bounds are the bounds of all latency histograms, in seconds, rising. Empty
	// where the source has no latency.
	Bounds []float64 `json:"bounds,omitempty"`
	// Instances are at most MaxInstances; block i is the same minute for all.
	Instances []InstanceHistory `json:"instances,omitempty"`
	// Custom are the pasts of custom ratios, where the source has them.
	Custom []CustomHistory `json:"custom,omitempty"`
}

// InstanceHistory is one instance's past. All slices have the same length; a
// minute without data is zero.
type InstanceHistory struct {
	Requests []int64 `json:"requests"`
	Errors   []int64 `json:"errors"`
	// Latency has, per minute, one count more than there are bounds.
	Latency [][]int64 `json:"latency,omitempty"`
}

// MaxInstances is how many instances of a history are used.
const MaxInstances = 20

// leastHistory is how many minutes a history must have to teach the noise.
const leastHistory = 120

// Minutes is the length of the history.
func (h History) Minutes() int {
	if len(h.Instances) == 0 {
		return 0
	}
	return len(h.Instances[0].Requests)
}

// known is how many minutes have data.
func (h History) known() int {
	n := 0
	for m := range h.Minutes() {
		if slices.ContainsFunc(h.Instances, func(in InstanceHistory) bool { return in.Requests[m] > 0 }) {
			n++
		}
	}
	return n
}

// Validate says what is wrong with h.
func (h History) Validate() error {
	minutes := h.Minutes()
	for i, in := range h.Instances {
		if len(in.Requests) != minutes || len(in.Errors) != minutes || (len(in.Latency) != 0 && len(in.Latency) != minutes) {
			return fault.Errorf(fault.Invalid, "the history of instance %d has another length than that of instance 0", i)
		}
		for m := range in.Requests {
			arm := Arm{Requests: in.Requests[m], Errors: in.Errors[m]}
			if len(in.Latency) > 0 {
				arm.Latency = Histogram{Bounds: h.Bounds, Counts: in.Latency[m]}
			}
			if why := arm.broken(); why != "" {
				return fault.Errorf(fault.Invalid, "the history of instance %d, minute %d: %s", i, m, why)
			}
		}
	}
	return nil
}

// series is one metric's history: bad events and requests, [instance][minute].
// trims tells that the judge will see its events by instance.
type series struct {
	bad, all [][]float64
	trims    bool
}

func (s series) minutes() int { return len(s.all[0]) }

func (h History) errors() series {
	var s series
	for _, in := range h.used() {
		s.bad = append(s.bad, floats(in.Errors))
		s.all = append(s.all, floats(in.Requests))
	}
	return s
}

// slower is the series of requests above the bound.
func (h History) slower(bound float64) series {
	var s series
	for _, in := range h.used() {
		bad := make([]float64, len(in.Requests))
		all := make([]float64, len(in.Requests))
		for m := range in.Latency {
			g := Histogram{Bounds: h.Bounds, Counts: in.Latency[m]}
			n, _ := g.Above(bound)
			bad[m], all[m] = float64(n), float64(g.Total())
		}
		s.bad = append(s.bad, bad)
		s.all = append(s.all, all)
	}
	return s
}

// latency is the sum of all histograms.
func (h History) latency() Histogram {
	var sum Histogram
	for _, in := range h.used() {
		for m := range in.Latency {
			sum.add(Histogram{Bounds: h.Bounds, Counts: in.Latency[m]})
		}
	}
	return sum
}

func (h History) used() []InstanceHistory { return h.Instances[:min(len(h.Instances), MaxInstances)] }

func floats(x []int64) []float64 {
	f := make([]float64, len(x))
	for i, v := range x {
		f[i] = float64(v)
	}
	return f
}
