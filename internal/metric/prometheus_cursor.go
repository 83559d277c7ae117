package metric

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// promCursor is where the last good look ended: one reading per series, so that
// what happened between two looks is the same however often one looks.
type promCursor struct {
	At      int64               `json:"at"` // milliseconds, as all times here
	Bounds  []float64           `json:"bounds"`
	Arms    map[string]*armMark `json:"arms"` // by revision
	Weights []weightMark        `json:"weights"`
	// Began is when the first look was made; weights before it are not known.
	Began   int64   `json:"began"`
	Traffic traffic `json:"traffic"`
	// Custom are the custom metrics, by name.
	Custom map[string]*customMark `json:"custom,omitempty"`
}

// weightMark is a weight that was in force up to a look, from the mark before.
type weightMark struct {
	At     int64   `json:"at"`
	Weight float64 `json:"weight"`
}

// armMark is what one arm stood at.
type armMark struct {
	Requests track `json:"requests"`
	Errors   track `json:"errors"`
	Latency  track `json:"latency,omitempty"`
	// Born is when each instance started last, as far as it was seen.
	Born map[string]int64 `json:"born"`
	// Rest is what was counted but not yet handed out: fractions, and, below zero,
	// what a bucket of a histogram has handed out too early.
	Rest rest `json:"rest"`
}

type rest struct {
	Requests float64   `json:"requests,omitempty"`
	Errors   float64   `json:"errors,omitempty"`
	Latency  []float64 `json:"latency,omitempty"`
	Cold     []float64 `json:"cold,omitempty"`
}

// forget is how long a series that is gone is remembered. One that came back
// later would be taken for a new one.
const forget = 6 * time.Hour

func encode(cursor any) []byte {
	raw, err := json.Marshal(cursor)
	if err != nil {
		panic(fmt.Sprintf("a cursor holds only finite numbers: %v", err))
	}
	return raw
}

// readPromCursor returns where to go on, or an empty cursor and why this look is a first one.
func readPromCursor(raw []byte, ask Ask) (c *promCursor, first string) {
	empty := func() *promCursor { return &promCursor{Arms: map[string]*armMark{}} }
	c = empty()
	switch {
	case len(raw) == 0:
		return c, firstLook
	case json.Unmarshal(raw, c) != nil || !c.sound():
		return empty(), lostPlace
	}
	for _, a := range ask.arms() {
		if c.Arms[a.revision] == nil {
			return empty(), fmt.Sprintf("first look at revision %s", a.revision)
		}
	}
	return c, ""
}

// sound says whether the lengths in a cursor fit each other.
func (c *promCursor) sound() bool {
	for _, arm := range c.Arms {
		if arm == nil || len(arm.Rest.Latency) > len(c.Bounds)+1 || len(arm.Rest.Cold) > len(c.Bounds)+1 {
			return false
		}
		for _, r := range arm.Latency {
			if len(r.v) != len(c.Bounds)+1 {
				return false
			}
		}
	}
	return c.At > 0
}

// weigh notes the weight in force. It is kept on looks that find nothing, too.
func (c *promCursor) weigh(ask Ask, interval time.Duration) {
	now := ask.Now.UnixMilli()
	if len(c.Weights) == 0 {
		c.Began = now
	}
	if n := len(c.Weights); n > 0 && c.Weights[n-1].Weight == ask.Weight {
		c.Weights[n-1].At = max(now, c.Weights[n-1].At)
	} else {
		c.Weights = append(c.Weights, weightMark{now, ask.Weight})
	}
	for len(c.Weights) > 1 && c.Weights[0].At < c.At-2*interval.Milliseconds() {
		c.Weights = c.Weights[1:]
	}
}

// weightAt is the weight that was in force at the instant.
func (c *promCursor) weightAt(at time.Time) float64 {
	for _, m := range c.Weights {
		if m.At >= at.UnixMilli() {
			return m.Weight
		}
	}
	return c.Weights[len(c.Weights)-1].Weight
}

// leastWeight is the smallest weight in force between the cursor, or the scrape
// before it, and the instant; 0 where that reaches back before the first look, when
// the canary may have had no traffic yet.
func (c *promCursor) leastWeight(at time.Time, interval time.Duration) float64 {
	least := 1.0
	if c.At-interval.Milliseconds() < c.Began {
		return 0
	}
	for _, m := range c.Weights {
		if m.At < c.At-interval.Milliseconds() {
			continue
		}
		least = min(least, m.Weight)
		if m.At >= at.UnixMilli() {
			break
		}
	}
	return least
}

// advance returns the cursor after a look, and what each arm did until then.
func (c *promCursor) advance(seen []armSeries, at time.Time, interval, warmUp time.Duration) (*promCursor, []judge.Arm) {
	after := &promCursor{At: at.UnixMilli(), Arms: map[string]*armMark{}, Weights: c.Weights, Began: c.Began, Traffic: c.Traffic}
	after.Bounds = commonBounds(c.Bounds, seen[0].latency, seen[1].latency)
	var arms []judge.Arm
	for _, s := range seen {
		l := armLook{
			was: c.Arms[s.revision].rebound(c.Bounds, after.Bounds), since: c.At, at: after.At, seen: s,
			bounds: after.Bounds, canary: s.arm == canaryArm, interval: interval.Milliseconds(), warmUp: warmUp.Milliseconds(),
		}
		mark, arm := l.take()
		after.Arms[s.revision] = mark
		arms = append(arms, arm)
	}
	return after, arms
}

// rebound returns a copy of the mark with its histograms at the new bounds, which
// are some of the old. A nil mark becomes an empty one.
func (m *armMark) rebound(from, to []float64) *armMark {
	if m == nil {
		return &armMark{Requests: track{}, Errors: track{}, Latency: track{}, Born: map[string]int64{}}
	}
	c := &armMark{
		Requests: copyTrack(m.Requests), Errors: copyTrack(m.Errors), Latency: track{},
		Born: map[string]int64{}, Rest: m.Rest,
	}
	maps.Copy(c.Born, m.Born)
	for key, r := range m.Latency {
		c.Latency[key] = reading{r.t, project(r.v, from, to)}
	}
	if len(from) != len(to) || len(m.Rest.Latency) != len(to)+1 {
		c.Rest.Latency = mergeBuckets(m.Rest.Latency, from, to)
	}
	if len(from) != len(to) {
		c.Rest.Cold = mergeBuckets(m.Rest.Cold, from, to)
	}
	return c
}

func copyTrack(t track) track {
	c := make(track, len(t))
	maps.Copy(c, t)
	return c
}

// mergeBuckets adds up buckets between the bounds from into those between to.
func mergeBuckets(buckets, from, to []float64) []float64 {
	merged := make([]float64, len(to)+1)
	for i, b := range buckets {
		j := len(to)
		for k := len(to) - 1; k >= 0 && i < len(from) && from[i] <= to[k]*(1+boundTolerance); k-- {
			j = k
		}
		merged[j] += b
	}
	return merged
}

// handOut splits what was counted into a whole number ≥ 0 to hand out now and
// the rest for later.
func handOut(counted float64) (int64, float64) {
	whole := math.Max(0, math.Floor(counted+1e-6))
	return int64(whole), counted - whole
}
