package metric

import (
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// armLook is one arm at one look. All times are in milliseconds.
type armLook struct {
	was                         *armMark // a copy that the look may change
	seen                        armSeries
	bounds                      []float64
	since, at, interval, warmUp int64
}

// take returns the mark after the look and what the arm did since the one before.
// At the first look (since is 0) there is nothing that it did.
func (l armLook) take() (*armMark, judge.Arm) {
	mark := l.was
	births := l.births()
	var arm judge.Arm
	arm.Requests, mark.Rest.Requests = handOut(mark.Rest.Requests + l.count(mark.Requests, l.seen.requests))
	arm.Errors, mark.Rest.Errors = handOut(mark.Rest.Errors + l.count(mark.Errors, l.seen.errors))
	if len(l.bounds) > 0 {
		arm.Latency = l.latency(mark, births)
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

// count moves the track on and returns the increments of all its series.
func (l armLook) count(t track, seen map[string]series) float64 {
	var sum float64
	for key, s := range seen {
		last, known := t[key]
		for _, st := range s.steps(last, known) {
			sum += st.grown[0]
		}
		if len(s.readings) > 0 {
			t[key] = s.newest(last)
		}
	}
	if l.since == 0 {
		return 0
	}
	return sum
}

// latency moves the track on and returns what warm instances did.
func (l armLook) latency(mark *armMark, births map[string][]int64) judge.Histogram {
	sum := make([]float64, len(l.bounds)+1)
	for key, h := range l.seen.latency {
		s := h.at(l.bounds)
		last, known := mark.Latency[key]
		for _, st := range s.steps(last, known) {
			if l.since == 0 || !l.warm(births[s.instance], st) {
				continue
			}
			for i, n := range st.grown {
				sum[i] += n
			}
		}
		if len(s.readings) > 0 {
			mark.Latency[key] = s.newest(last)
		}
	}
	h := judge.Histogram{Bounds: l.bounds, Counts: make([]int64, len(sum))}
	rest := make([]float64, len(sum))
	copy(rest, mark.Rest.Latency)
	below := 0.0
	for i, n := range sum {
		h.Counts[i], rest[i] = handOut(rest[i] + n - below)
		below = n
	}
	mark.Rest.Latency = rest
	return h
}

// warm tells whether a step holds only requests of an instance older than the
// warm-up. It does not depend on when one looked.
func (l armLook) warm(births []int64, st step) bool {
	from := st.from
	if from == 0 {
		// A new set of labels: its requests came after the scrape before.
		from = st.to - l.interval
	}
	for i := len(births) - 1; i >= 0; i-- {
		if b := births[i]; b <= st.to {
			return l.warmUp == 0 || from >= b+l.warmUp
		}
	}
	return false
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
// that were warm by then.
func (l armLook) instances(births map[string][]int64) (all, warm int) {
	alive := map[string]bool{}
	for _, s := range l.seen.requests {
		if n := len(s.readings); n > 0 && s.readings[n-1].t > l.since {
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
	for key, s := range l.requests {
		if n := len(s.readings); n > 0 && s.readings[n-1].t > was.Requests[key].t {
			return true
		}
	}
	return false
}

// newest is the latest scrape that the mark knows of.
func (m *armMark) newest() time.Time {
	var t int64
	for _, r := range m.Requests {
		t = max(t, r.t)
	}
	return time.UnixMilli(t).UTC()
}
