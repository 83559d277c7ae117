package router

import (
	"math"
	"sort"
	"sync/atomic"
	"time"
)

// The latency bounds are 2^(i/4) seconds from 2^-11 (0.49 ms) to 2^6 (64 s), a
// factor of 1.19 apart. They are the buckets of a Prometheus native histogram of
// schema 2, so nothing is lost when they are exposed as one.
const (
	boundsFirst = -44 // 2^(-44/4) s
	boundsLast  = 24  // 2^(24/4) s
	boundCount  = boundsLast - boundsFirst + 1
)

var (
	latencyBounds = makeBounds()
	latencyNanos  = boundsInNanos()
)

// LatencyBounds returns the upper bounds, in seconds, that all latency
// histograms of the router share.
func LatencyBounds() []float64 { return append([]float64(nil), latencyBounds...) }

func makeBounds() []float64 {
	b := make([]float64, boundCount)
	for i := range b {
		b[i] = math.Exp2(float64(boundsFirst+i) / 4)
	}
	return b
}

func boundsInNanos() []int64 {
	b := make([]int64, boundCount)
	for i := range b {
		b[i] = int64(latencyBounds[i] * 1e9)
	}
	return b
}

// histogram counts durations. It only grows and is safe for concurrent use.
type histogram struct {
	nanos  atomic.Int64
	counts [boundCount + 1]atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	n := int64(d)
	i := sort.Search(boundCount, func(i int) bool { return n <= latencyNanos[i] })
	h.counts[i].Add(1)
	h.nanos.Add(n)
}

// Latency is how long requests took, cumulative. Counts[i] is the number with
// Bounds[i-1] < duration ≤ Bounds[i] of Counters.Bounds, with one entry more for
// everything above the last bound.
type Latency struct {
	Counts []int64 `json:"counts"`
	// Seconds is the sum of all durations.
	Seconds float64 `json:"seconds"`
}

func (h *histogram) snapshot() Latency {
	l := Latency{Counts: make([]int64, len(h.counts)), Seconds: float64(h.nanos.Load()) / 1e9}
	for i := range h.counts {
		l.Counts[i] = h.counts[i].Load()
	}
	return l
}

func (h *histogram) add(l Latency) {
	for i := range min(len(l.Counts), len(h.counts)) {
		h.counts[i].Add(l.Counts[i])
	}
	h.nanos.Add(int64(math.Round(l.Seconds * 1e9)))
}

// Add returns the sum of both.
func (l Latency) Add(o Latency) Latency {
	return Latency{Counts: addCounts(l.Counts, o.Counts, 1), Seconds: l.Seconds + o.Seconds}
}

// Sub returns what l has more than the earlier o.
func (l Latency) Sub(o Latency) Latency {
	return Latency{Counts: addCounts(l.Counts, o.Counts, -1), Seconds: l.Seconds - o.Seconds}
}

func addCounts(a, b []int64, sign int64) []int64 {
	sum := make([]int64, max(len(a), len(b)))
	copy(sum, a)
	for i, n := range b {
		sum[i] += sign * n
	}
	return sum
}
