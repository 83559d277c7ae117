package metric

import (
	"maps"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// armLook is one arm at one look. All times are in milliseconds.
type armLook struct {
	was                         *armMark // a copy that the look may change
	seen                        armSeries
	bounds                      []float64
	canary                      bool // of which single instances are told
	since, at, interval, warmUp int64
}

// take returns the mark after the look and what the arm did since the one before.
// At the first look (since is 0) there is nothing that it did.
func (l armLook) take() (*armMark, judge.Arm) {
	mark := l.was
	births := l.births()
	var arm judge.Arm
	var one instances
	arm.Requests, mark.Rest.Requests = handOut(mark.Rest.Requests + sum(l.count(mark.Requests, l.seen.requests)))
	failed := l.count(mark.Errors, l.seen.errors)
	arm.Errors, mark.Rest.Errors = handOut(mark.Rest.Errors + sum(failed))
	left := arm.Errors
	for _, instance := range slices.Sorted(maps.Keys(failed)) {
		n := min(left, int64(failed[instance]))
		one.failed(instance, n)
		left -= n
	}
	var cold judge.Histogram
	if len(l.bounds) > 0 {
		arm.Latency, cold = l.latency(mark, births, &one)
	}
	if l.canary {
		one.tell(&arm, cold)
	}
	arm.Instances, arm.WarmInstances = l.instances(births)
	for instance, list := range births {
		mark.Born[instance] = list[len(list)-1]
	}
	for _, t := range []track{mark.Requests, mark.Errors, mark.Latency} {
		for key, r := range t {
			if r.t < l.at-forget.Milliseconds() {
				delete(t, key)
			}
		}
	}
	return mark, arm
}

// count moves the track on and returns the increments by instance.
func (l armLook) count(t track, seen map[string]series) map[string]float64 {
	grown := map[string]float64{}
	for key, s := range seen {
		last, known := t[key]
		for _, st := range s.steps(last, known) {
			if s.amounts && st.to <= l.since {
				continue // of a window that the last look has seen
			}
			grown[s.instance] += st.grown[0]
		}
		if len(s.readings) > 0 {
			t[key] = s.newest(last)
		}
	}
	if l.since == 0 {
		return nil
	}
	return grown
}

// sum adds up in a fixed order, so that the same increments make the same sum.
func sum(grown map[string]float64) float64 {
	all := 0.0
	for _, instance := range slices.Sorted(maps.Keys(grown)) {
		all += grown[instance]
	}
	return all
}

// latency moves the track on and returns what warm and what cold instances did.
func (l armLook) latency(mark *armMark, births map[string][]int64, one *instances) (warm, cold judge.Histogram) {
	warmSum, coldSum := make([]float64, len(l.bounds)+1), make([]float64, len(l.bounds)+1)
	for key, h := range l.seen.latency {
		s := h.at(l.bounds)
		last, known := mark.Latency[key]
		for _, st := range s.steps(last, known) {
			if l.since == 0 {
				continue
			}
			to := warmSum
			if age := l.age(births[s.instance], st); l.warmUp > 0 && age < l.warmUp {
				one.young(time.Duration(age) * time.Millisecond)
				to = coldSum
			}
			for i, n := range st.grown {
				to[i] += n
			}
		}
		if len(s.readings) > 0 {
			mark.Latency[key] = s.newest(last)
		}
	}
	warm, mark.Rest.Latency = l.buckets(warmSum, mark.Rest.Latency)
	cold, mark.Rest.Cold = l.buckets(coldSum, mark.Rest.Cold)
	return warm, cold
}

// buckets turns cumulative increments into the counts of single buckets, and what is
// left to hand out later.
func (l armLook) buckets(cumulative, had []float64) (judge.Histogram, []float64) {
	h := judge.Histogram{Bounds: l.bounds, Counts: make([]int64, len(cumulative))}
	rest := make([]float64, len(cumulative))
	copy(rest, had)
	below := 0.0
	for i, n := range cumulative {
		h.Counts[i], rest[i] = handOut(rest[i] + n - below)
		below = n
	}
	return h, rest
}

// age is how old an instance was when a step began, in milliseconds; below zero where
// that is not known. It does not depend on when one looked.
func (l armLook) age(births []int64, st step) int64 {
	from := st.from
	if from == 0 {
		// A new set of labels: its requests came after the scrape before.
		from = st.to - l.interval
	}
	for i := len(births) - 1; i >= 0; i-- {
		if b := births[i]; b <= st.to {
			return from - b
		}
	}
	return -1
}

// births lists, for each instance, when it started, in order of time, first the
// start known before. An instance that was there before the first look could see
// counts as born with the first of its readings, which lies beyond the warm-up.
func (l armLook) births() map[string][]int64 {
	births := map[string][]int64{}
	for instance, b := range l.was.Born {
		births[instance] = []int64{b}
	}
	for instance, first := range l.firstSeen() {
		if _, known := births[instance]; known {
			continue
		}
		births[instance] = []int64{first}
	}
	for key, s := range l.seen.requests {
		last, known := l.was.Requests[key]
		for _, st := range s.steps(last, known) {
			if list := births[s.instance]; st.reset && st.to > list[len(list)-1] {
				births[s.instance] = append(list, st.to)
			}
		}
	}
	return births
}

// firstSeen is the first reading of each instance.
func (l armLook) firstSeen() map[string]int64 {
	first := map[string]int64{}
	see := func(instance string, readings []reading) {
		if len(readings) == 0 {
			return
		}
		if t, ok := first[instance]; !ok || readings[0].t < t {
			first[instance] = readings[0].t
		}
	}
	for _, s := range l.seen.requests {
		see(s.instance, s.readings)
	}
	for _, s := range l.seen.latency {
		if len(s.snapshots) > 0 {
			see(s.instance, []reading{{t: s.snapshots[0].t}})
		}
	}
	return first
}

// instances counts those that were seen since the last look, and those of them
// that were warm by then. Looks may follow each other faster than the scrapes of one
// instance, so one that was seen two intervals ago still counts.
func (l armLook) instances(births map[string][]int64) (all, warm int) {
	alive := map[string]bool{}
	after := min(l.since, l.at-2*l.interval)
	for _, s := range l.seen.requests {
		if n := len(s.readings); n > 0 && s.readings[n-1].t > after {
			alive[s.instance] = true
		}
	}
	for instance := range alive {
		if list := births[instance]; list[len(list)-1]+l.warmUp <= l.since {
			warm++
		}
	}
	return max(1, len(alive)), warm
}

// fresh tells whether any request counter has been scraped since the last look.
func (l armSeries) fresh(was *armMark) bool {
	return newer(l.requests, was.Requests)
}

// newest is the latest scrape that the mark knows of.
func (m *armMark) newest() time.Time {
	var t int64
	for _, r := range m.Requests {
		t = max(t, r.t)
	}
	return time.UnixMilli(t).UTC()
}
