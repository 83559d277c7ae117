package app

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/metric"
)

// Find tries the queries of an environment, by the source that a canary uses: see cli.Find.
func Find(ctx context.Context, q cli.FindQuery) ([]cli.FoundSeries, error) {
	source, err := openSource(q.Metrics, nil)
	if err != nil {
		return nil, err
	}
	finder, ok := source.(metric.Finder)
	if !ok {
		return nil, nil
	}
	found, err := finder.Find(ctx, metric.Ask{Service: q.Service, Environment: q.Environment, Region: q.Region, Now: time.Now()})
	var all []cli.FoundSeries
	for _, f := range found {
		all = append(all, cli.FoundSeries(f))
	}
	return all, err
}
