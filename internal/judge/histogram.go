package judge

import (
	"math"
	"slices"
)

// Total is the number of requests in h.
func (h Histogram) Total() int64 {
	var n int64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Empty tells whether h says nothing.
func (h Histogram) Empty() bool { return h.Total() == 0 }

// Above is the number of requests that took longer than bound seconds. ok is
// false where bound is not one of h's bounds: nothing is interpolated.
func (h Histogram) Above(bound float64) (n int64, ok bool) {
	for i, b := range h.Bounds {
		if !sameBound(b, bound) {
			continue
		}
		for _, c := range h.Counts[i+1:] {
			n += c
		}
		return n, true
	}
	return 0, false
}

// slower is the number of requests that certainly took longer than limit
// seconds: those above the lowest bound that is not under it.
func (h Histogram) slower(limit float64) int64 {
	for i, b := range h.Bounds {
		if b < limit && !sameBound(b, limit) {
			continue
		}
		var n int64
		for _, c := range h.Counts[i+1:] {
			n += c
		}
		return n
	}
	return 0
}

// broken says what is wrong with h, or nothing.
func (h Histogram) broken() string {
	if len(h.Bounds) == 0 && len(h.Counts) == 0 {
		return ""
	}
	if len(h.Counts) != len(h.Bounds)+1 {
		return "the latency histogram has not one count more than bounds"
	}
	last := math.Inf(-1)
	for _, b := range h.Bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || b <= last {
			return "the bounds of the latency histogram do not rise"
		}
		last = b
	}
	var sum int64
	for _, c := range h.Counts {
		if c < 0 || c > maxCount {
			return "the latency histogram has an impossible count"
		}
		if sum += c; sum > maxCount {
			return "the latency histogram has an impossible count"
		}
	}
	return ""
}

// add folds other into h if both have the same bounds; an empty h becomes a copy.
func (h *Histogram) add(other Histogram) {
	if len(h.Counts) == 0 {
		h.Bounds = append([]float64(nil), other.Bounds...)
		h.Counts = append([]int64(nil), other.Counts...)
		return
	}
	if !h.SameBounds(other) {
		return
	}
	for i, c := range other.Counts {
		h.Counts[i] += c
	}
}

// SameBounds tells whether both have the same buckets, so that their counts can be
// added and compared. Bounds that differ by less than 1e-9 of themselves are the same:
// they have come through text, or were computed in another order.
func (h Histogram) SameBounds(o Histogram) bool {
	return slices.EqualFunc(h.Bounds, o.Bounds, sameBound)
}

func sameBound(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

// maxCount is the largest believable number of requests in one sample.
const maxCount = int64(1) << 50

// broken says why s cannot be evidence, or nothing. What a source calls missing
// keeps its own words.
func (s Sample) broken() string {
	if s.Missing != "" {
		return s.Missing
	}
	if math.IsNaN(s.Weight) || s.Weight < 0 || s.Weight > 1 {
		return "the weight is not between 0 and 1"
	}
	if why := s.Stable.broken(); why != "" {
		return "stable: " + why
	}
	if why := s.Canary.broken(); why != "" {
		return "canary: " + why
	}
	return ""
}

func (a Arm) broken() string {
	switch {
	case a.Requests < 0 || a.Errors < 0:
		return "a counter ran backwards"
	case a.Requests > maxCount:
		return "the number of requests is impossible"
	case a.Errors > a.Requests:
		return "there are more errors than requests"
	case a.Instances < 0 || a.WarmInstances < 0:
		return "the number of instances is negative"
	}
	if why := a.Latency.broken(); why != "" {
		return why
	}
	return a.brokenInstances()
}

// mostColdAge is the largest believable age of a cold instance, in seconds.
const mostColdAge = 86400

// brokenInstances says what is wrong with what is told of single instances.
func (a Arm) brokenInstances() string {
	if !(a.ColdAge >= 0 && a.ColdAge <= mostColdAge) {
		return "the age of the cold instances is impossible"
	}
	left := a.Errors
	for _, by := range a.ErrorsBy {
		if by.Errors < 0 || by.Errors > left {
			return "the errors of the instances are more than those of the arm"
		}
		left -= by.Errors
	}
	return a.Cold.broken()
}
