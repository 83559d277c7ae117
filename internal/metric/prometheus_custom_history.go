package metric

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// customHistory reads the past of the custom ratios as if they were errors in requests.
// A ratio whose past cannot be read has none, and so have means: the judge then begins
// with its priors.
func (p *Prometheus) customHistory(ctx context.Context, ask Ask, span time.Duration) []judge.CustomHistory {
	var all []judge.CustomHistory
	for _, m := range ask.Custom {
		if m.kind() != judge.RatioMetric {
			continue
		}
		if instances, err := p.ratioHistory(ctx, ask, m, span); err == nil {
			all = append(all, judge.CustomHistory{Name: m.Name, Instances: instances})
		}
	}
	return all
}

func (p *Prometheus) ratioHistory(ctx context.Context, ask Ask, m CustomMetric, span time.Duration) ([]judge.InstanceHistory, error) {
	selectors, err := m.selectors()
	if err != nil {
		return nil, err
	}
	counted := "bad"
	if m.Good != "" {
		counted = "good"
	}
	ratio := *p
	ratio.queries = map[string]selector{"requests": selectors["of"], "errors": selectors[counted]}
	h, err := ratio.readPast(ctx, ask, span)
	if err != nil {
		return nil, err
	}
	instances := h.past.Instances
	if mustBeThere(counted, selectors) {
		instances = h.withErrors()
	}
	if counted == "good" {
		countBad(instances)
	}
	return instances, nil
}

// withErrors are the instances of which any errors were found, be it zero of them.
func (h *historyReader) withErrors() []judge.InstanceHistory {
	var found []judge.InstanceHistory
	for i, in := range h.past.Instances {
		if mark := h.marks[i]; mark != nil && len(mark.Errors) > 0 {
			found = append(found, in)
		}
	}
	return found
}

// countBad turns good events into bad ones.
func countBad(instances []judge.InstanceHistory) {
	for _, in := range instances {
		for i, n := range in.Requests {
			in.Errors[i] = n - in.Errors[i]
		}
	}
}
