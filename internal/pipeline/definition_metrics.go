package pipeline

import "strings"

// CustomMetricDefinition is a metric of the team's own. It is either a ratio of two
// counters (`bad` or `good`, `of`), or a mean (`sum`, `count`, `squares`). The queries
// select counters as those of `prometheus` do. See docs/metrics.md.
type CustomMetricDefinition struct {
	// Name is what the verdict calls it; a dash is read as a space.
	Name string `yaml:"name,required" check:"name" example:"checkout-failures"`
	// Bad selects the counter of bad events, of a ratio.
	Bad string `yaml:"bad" check:"query" example:"'checkout_failures_total{revision=\"$revision\"}'"`
	// Good selects the counter of good events, in place of `bad`.
	Good string `yaml:"good" check:"query" example:"'checkouts_total{revision=\"$revision\",result=\"ok\"}'"`
	// Of selects the counter of all events, of a ratio.
	Of string `yaml:"of" check:"query" example:"'checkouts_total{revision=\"$revision\"}'"`
	// Sum selects the counter that grows by each value, of a mean. Values are never negative.
	Sum string `yaml:"sum" check:"query" example:"'order_value_sum{revision=\"$revision\"}'"`
	// Count selects the counter of the values, of a mean.
	Count string `yaml:"count" check:"query" example:"'order_value_count{revision=\"$revision\"}'"`
	// Squares selects the counter that grows by each value's square, of a mean.
	Squares string `yaml:"squares" check:"query" example:"'order_value_squares{revision=\"$revision\"}'"`
	// Better says which way a mean is good; every mean needs it.
	Better string `yaml:"better" enum:"lower higher" example:"higher"`
	// Margin is the difference that does not matter: of a ratio in percentage points
	// (without it 0.5pp, at most 50pp), of a mean relative (without it 5%, at most 90%).
	Margin string `yaml:"margin" check:"difference" example:"0.5pp"`
}

// The margins of custom metrics that say none.
const (
	defaultRatioMargin = 0.005
	defaultMeanMargin  = 0.05
)

// isMean tells which of the two forms the metric has, by the first key that it sets.
func (m CustomMetricDefinition) isMean() bool {
	return m.Bad+m.Good+m.Of == "" && m.Sum+m.Count+m.Squares != ""
}

// margin is the margin as a fraction, the default where there is none.
func (m CustomMetricDefinition) margin() float64 {
	switch {
	case m.Margin == "" && m.isMean():
		return defaultMeanMargin
	case m.Margin == "":
		return defaultRatioMargin
	case strings.HasSuffix(m.Margin, "pp"):
		n, _ := parseQuantity(m.Margin, "pp", "e-2", pointsForm) // checked when it was read
		return n
	}
	n, _ := parseQuantity(m.Margin, "%", "e-2", shareForm)
	return n
}

// compileCustom resolves custom metrics; there may be none.
func compileCustom(defs []CustomMetricDefinition) []CustomMetric {
	var all []CustomMetric
	for _, m := range defs {
		all = append(all, CustomMetric{
			Name: m.Name, Bad: m.Bad, Good: m.Good, Of: m.Of, Sum: m.Sum, Count: m.Count, Squares: m.Squares,
			Better: m.Better, Margin: m.margin(),
		})
	}
	return all
}

// CustomMetric is a metric of the team's own: a ratio, where Of is set, else a mean. The
// texts are selectors of counters.
type CustomMetric struct {
	Name string `json:"name"`
	// A ratio has Bad or Good.
	Bad  string `json:"bad,omitempty"`
	Good string `json:"good,omitempty"`
	Of   string `json:"of,omitempty"`
	// A mean has all three.
	Sum     string `json:"sum,omitempty"`
	Count   string `json:"count,omitempty"`
	Squares string `json:"squares,omitempty"`
	// Better is "lower" or "higher" of a mean, and empty of a ratio.
	Better string `json:"better,omitempty"`
	// Margin is the difference that does not matter: of a ratio in rates (0.005 is half
	// a percentage point), of a mean relative (0.05 is 5 %).
	Margin float64 `json:"margin"`
}
