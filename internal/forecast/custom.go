package forecast

import (
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// custom translates the team's own metrics. Together they have a part of the evidence
// that does not depend on how many they are.
func custom(metrics []pipeline.CustomMetric) []judge.CustomMetric {
	var all []judge.CustomMetric
	for _, m := range metrics {
		c := judge.CustomMetric{Name: m.Name, Share: judge.CustomShare / float64(len(metrics))}
		if m.Of != "" {
			c.Kind, c.Better, c.Margin = judge.RatioMetric, judge.LowerIsBetter, judge.RateMargin(m.Margin)
		} else {
			c.Kind, c.Better, c.Margin = judge.MeanMetric, judge.Better(m.Better), judge.MeanMargin(m.Margin)
		}
		all = append(all, c)
	}
	return all
}
