package stage

import (
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// customMetrics are what a source is asked to count beside requests, errors and latency.
func customMetrics(metrics []pipeline.CustomMetric) []metric.CustomMetric {
	var all []metric.CustomMetric
	for _, m := range metrics {
		all = append(all, metric.CustomMetric{
			Name: m.Name, Bad: m.Bad, Good: m.Good, Of: m.Of, Sum: m.Sum, Count: m.Count, Squares: m.Squares,
		})
	}
	return all
}
