package app

import (
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/router"
)

// openSource opens the source of samples that a plan names.
func openSource(m pipeline.Metrics, r *router.Client) (metric.Source, error) {
	kind := m.Source
	config := json.RawMessage("{}")
	if m.Prometheus != nil {
		kind = "prometheus"
		var err error
		if config, err = json.Marshal(m.Prometheus); err != nil {
			return nil, fault.Errorf(fault.Internal, "encode the metric source: %w", err)
		}
	}
	if kind == "" {
		kind = "router"
	}
	return metric.Open(kind, config, metric.Deps{Router: r})
}
