package metric

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// historyChunk is how much of the past one query reads.
const historyChunk = 10 * time.Minute

// History implements Historian: what up to judge.MaxInstances instances that run
// now did in each minute. A minute after a gap is left out (zero), because all
// that happened in the gap would appear in it.
func (p *Prometheus) History(ctx context.Context, ask Ask, span time.Duration) (judge.History, error) {
	if err := ask.validate(); err != nil {
		return judge.History{}, err
	}
	if ask.Stable == "" || span < time.Minute {
		return judge.History{}, nil
	}
	h, err := p.readPast(ctx, ask, span)
	if err != nil {
		return judge.History{}, err
	}
	h.past.Custom = p.customHistory(ctx, ask, span)
	return h.past, nil
}

// readPast reads the past of requests, errors and latency.
func (p *Prometheus) readPast(ctx context.Context, ask Ask, span time.Duration) (*historyReader, error) {
	if why := p.nameless(ask, ask.arms()[0]); why != "" {
		return nil, fault.Errorf(fault.Unavailable, "read the past from Prometheus: %s", why)
	}
	end := ask.Now.Add(-p.Interval() - p.lag())
	h := &historyReader{Prometheus: p, ask: ask, arm: ask.arms()[0]}
	if err := h.choose(ctx, end); err != nil {
		return nil, h.fault(err)
	}
	start := end.Add(-span.Truncate(time.Minute))
	for t := start; t.Before(end) && len(h.names) > 0; t = t.Add(historyChunk) {
		if err := h.read(ctx, t, earlier(t.Add(historyChunk), end)); err != nil {
			return nil, h.fault(err)
		}
	}
	return h, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// historyReader reads the past chunk by chunk.
type historyReader struct {
	*Prometheus
	ask Ask
	arm armAsk
	// names are the instances, marks where each stood at the last minute read.
	names []string
	marks []*armMark
	since int64
	past  judge.History
}

func (h *historyReader) fault(err error) error {
	if fault.CodeOf(err) == fault.Invalid {
		return err
	}
	return fault.Errorf(fault.Unavailable, "read the past from Prometheus at %s: %w", h.api.base.Redacted(), err)
}

// choose picks the instances that run now, by name, and narrows the queries to them.
func (h *historyReader) choose(ctx context.Context, at time.Time) error {
	s, _ := h.armSelector("requests", h.ask, h.arm)
	now, err := h.api.samples(ctx, s, 4*h.Interval(), at)
	if err != nil {
		return err
	}
	running, labels := map[string]bool{}, map[string]bool{}
	for _, s := range now {
		running[instanceOf(s.Metric, h.config.Instance)] = true
		labels[instanceLabel(s.Metric, h.config.Instance)] = true
	}
	h.names = slices.Sorted(maps.Keys(running))
	h.names = h.names[:min(len(h.names), judge.MaxInstances)]
	h.marks = make([]*armMark, len(h.names))
	h.past.Instances = make([]judge.InstanceHistory, len(h.names))
	if len(labels) == 1 {
		h.narrow(slices.Collect(maps.Keys(labels))[0])
	}
	return nil
}

// narrow adds the chosen instances to the queries.
func (h *historyReader) narrow(label string) {
	var quoted []string
	for _, name := range h.names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	narrowed := *h.Prometheus
	narrowed.queries = map[string]selector{}
	for name, s := range h.queries {
		narrowed.queries[name] = s.and(matcher{label, "=~", strings.Join(quoted, "|")})
	}
	h.Prometheus = &narrowed
}

// read folds the minutes in (from, to] into the past.
func (h *historyReader) read(ctx context.Context, from, to time.Time) error {
	seen := armSeries{armAsk: h.arm}
	var err error
	if seen.requests, err = h.counters(ctx, "requests", h.ask, h.arm, to, to.Sub(from)); err != nil {
		return err
	}
	if seen.errors, err = h.counters(ctx, "errors", h.ask, h.arm, to, to.Sub(from)); err != nil {
		return err
	}
	if seen.latency, err = h.histograms(ctx, h.ask, h.arm, to, to.Sub(from)); err != nil {
		return err
	}
	h.rebound(commonBounds(h.past.Bounds, seen.latency))
	for at := from.Add(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		for i, name := range h.names {
			h.minute(i, seen.of(name, at.UnixMilli()), at.UnixMilli())
		}
		h.since = at.UnixMilli()
	}
	return nil
}

// rebound merges what has been read to bounds that are some of those before.
func (h *historyReader) rebound(bounds []float64) {
	had := h.past.Bounds
	for i, mark := range h.marks {
		if mark != nil {
			h.marks[i] = mark.rebound(had, bounds)
		}
		for m, counts := range h.past.Instances[i].Latency {
			h.past.Instances[i].Latency[m] = mergeCounts(counts, had, bounds)
		}
	}
	h.past.Bounds = bounds
}

func mergeCounts(counts []int64, from, to []float64) []int64 {
	floats := make([]float64, len(counts))
	for i, n := range counts {
		floats[i] = float64(n)
	}
	merged := make([]int64, len(to)+1)
	for i, n := range mergeBuckets(floats, from, to) {
		merged[i] = int64(n)
	}
	return merged
}

// minute adds one minute of one instance.
func (h *historyReader) minute(i int, seen armSeries, at int64) {
	was := h.marks[i]
	if was == nil {
		was = (*armMark)(nil).rebound(nil, h.past.Bounds)
	}
	began := len(was.Requests) > 0
	gap := at-was.newest().UnixMilli() > (time.Minute + 4*h.Interval()).Milliseconds()
	l := armLook{
		was: was, seen: seen, bounds: h.past.Bounds, since: h.since, at: at,
		interval: h.Interval().Milliseconds(), warmUp: h.ask.WarmUp.Milliseconds(),
	}
	mark, arm := l.take()
	h.marks[i] = mark
	switch over := arm.Errors - arm.Requests; {
	case !began, gap, over > arm.Requests:
		arm = judge.Arm{}
	case over > 0:
		// The counters were read an instant apart. What is over belongs to the next
		// minute, from which it will be missing.
		arm.Errors, mark.Rest.Errors = arm.Requests, mark.Rest.Errors+float64(over)
	}
	if len(arm.Latency.Counts) == 0 {
		arm.Latency.Counts = make([]int64, len(h.past.Bounds)+1)
	}
	in := &h.past.Instances[i]
	in.Requests = append(in.Requests, arm.Requests)
	in.Errors = append(in.Errors, arm.Errors)
	in.Latency = append(in.Latency, arm.Latency.Counts)
}

// of returns the series of one instance up to an instant.
func (a armSeries) of(instance string, at int64) armSeries {
	one := armSeries{armAsk: a.armAsk, requests: map[string]series{}, errors: map[string]series{}, latency: map[string]histogramSeries{}}
	for key, s := range a.requests {
		if s.instance == instance {
			one.requests[key] = s.upTo(at)
		}
	}
	for key, s := range a.errors {
		if s.instance == instance {
			one.errors[key] = s.upTo(at)
		}
	}
	for key, s := range a.latency {
		if s.instance == instance {
			n := sort.Search(len(s.snapshots), func(i int) bool { return s.snapshots[i].t > at })
			one.latency[key] = histogramSeries{s.instance, s.snapshots[:n]}
		}
	}
	return one
}

func (s series) upTo(at int64) series {
	n := sort.Search(len(s.readings), func(i int) bool { return s.readings[i].t > at })
	return series{s.instance, s.readings[:n], s.amounts}
}
