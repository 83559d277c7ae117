package metric

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/judge"
)

// CustomMetric selects the counters of a metric that is not of every service: a ratio,
// where Of is set, else a mean. The selectors are those of PrometheusConfig.
type CustomMetric struct {
	Name string `json:"name"`
	// A ratio has the bad or the good events, and all of them.
	Bad  string `json:"bad,omitempty"`
	Good string `json:"good,omitempty"`
	Of   string `json:"of,omitempty"`
	// A mean has the values' sum, count and sum of squares.
	Sum     string `json:"sum,omitempty"`
	Count   string `json:"count,omitempty"`
	Squares string `json:"squares,omitempty"`
}

// kind is how the metric is counted.
func (m CustomMetric) kind() judge.MetricKind {
	if m.Of != "" {
		return judge.RatioMetric
	}
	return judge.MeanMetric
}

// query is one counter of a custom metric.
type query struct{ key, text string }

// queries are the counters, first the one of all events or values.
func (m CustomMetric) queries() []query {
	var all []query
	for _, q := range []query{
		{"of", m.Of}, {"bad", m.Bad}, {"good", m.Good}, {"count", m.Count}, {"sum", m.Sum}, {"squares", m.Squares},
	} {
		if q.text != "" {
			all = append(all, q)
		}
	}
	return all
}

// selectors are the queries read, by their keys.
func (m CustomMetric) selectors() (map[string]selector, error) {
	all := map[string]selector{}
	for _, q := range m.queries() {
		s, faults := readQuery(q.text)
		if len(faults) > 0 {
			return nil, fmt.Errorf("the query %s: %w", q.key, faults[0])
		}
		all[q.key] = s
	}
	return all, nil
}

// none says of each custom metric why a source has nothing of it.
func (a Ask) none(why string) []judge.CustomSample {
	var all []judge.CustomSample
	for _, m := range a.Custom {
		all = append(all, judge.CustomSample{Name: m.Name, Missing: why})
	}
	return all
}
