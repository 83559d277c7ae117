package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// ChartWindow is the span over which a chart's rates and quantiles are taken.
const ChartWindow = 30 * time.Second

// ChartPoint is a stored point with rates and quantiles over the window that ends there.
type ChartPoint struct {
	SampledPoint
	StableChart ArmChart
	CanaryChart ArmChart
}

// ArmChart is one arm over the window.
type ArmChart struct {
	Error Interval
	P50   Interval
	P99   Interval
}

// Points returns at most limit points of the release after the point with the ID
// after (0 for the beginning), ready for a chart, and whether there are more.
// Environment narrows them; empty means all.
func (c *Control) Points(ctx context.Context, ref, environment string, after int64, limit int) ([]ChartPoint, bool, error) {
	var chart Chart
	return c.points(ctx, &chart, ref, environment, after, limit)
}

// PointsInto is Points of all environments for who follows a release: the chart
// keeps the window from call to call, so it must be given what it returned last.
func (c *Control) PointsInto(ctx context.Context, chart *Chart, ref string, after int64, limit int) ([]ChartPoint, bool, error) {
	return c.points(ctx, chart, ref, "", after, limit)
}

func (c *Control) points(ctx context.Context, chart *Chart, ref, environment string, after int64, limit int) ([]ChartPoint, bool, error) {
	limit = pageLimit(limit)
	var before, points []SampledPoint
	err := c.view(ctx, func(tx Tx) error {
		r, err := find(tx, ref)
		if err != nil {
			return err
		}
		points, err = tx.LoadPoints(r.ID, environment, after, limit+1)
		if err != nil || len(points) == 0 || after == 0 || len(chart.window) > 0 {
			return err
		}
		before, err = leadIn(tx, r.ID, environment, after, points[0].Sample.At.Add(-ChartWindow))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	more := len(points) > limit
	if more {
		points = points[:limit]
	}
	for _, p := range before {
		chart.Add(p)
	}
	charted := make([]ChartPoint, len(points))
	for i, p := range points {
		charted[i] = chart.Add(p)
	}
	return charted, more, nil
}

// leadIn returns the points up to the ID after that are younger than since. IDs
// count over all releases, so it reaches back further until it has enough.
func leadIn(tx Tx, release, environment string, after int64, since time.Time) ([]SampledPoint, error) {
	for reach := int64(64); ; reach *= 4 {
		from := max(after-reach, 0)
		points, err := tx.LoadPoints(release, environment, from, int(after-from))
		if err != nil {
			return nil, err
		}
		for i := range points {
			if points[i].ID > after {
				points = points[:i]
				break
			}
		}
		enough := len(points) > 0 && points[0].Sample.At.Before(since)
		if enough || from == 0 || reach >= 1<<14 {
			return points, nil
		}
	}
}

// Chart folds points, in their order, into what a chart shows. The window never
// reaches over into another stage or environment. The zero value is ready.
type Chart struct {
	window []SampledPoint
}

// Add takes the next point and returns it with its window's rates and quantiles.
// A point whose sample is missing tells nothing of its own; the window before it still counts.
func (c *Chart) Add(p SampledPoint) ChartPoint {
	if n := len(c.window); n > 0 && (c.window[n-1].Stage != p.Stage || c.window[n-1].Environment != p.Environment) {
		c.window = nil
	}
	keep := 0
	for keep < len(c.window) && !c.window[keep].Sample.At.After(p.Sample.At.Add(-ChartWindow)) {
		keep++
	}
	c.window = append(c.window[keep:], p)
	var stable, canary judge.Arm
	for i := range c.window {
		if s := &c.window[i].Sample; s.Missing == "" {
			addArm(&stable, &s.Stable)
			addArm(&canary, &s.Canary)
		}
	}
	return ChartPoint{SampledPoint: p, StableChart: chartOf(&stable), CanaryChart: chartOf(&canary)}
}

func chartOf(a *judge.Arm) ArmChart {
	return ArmChart{
		Error: ErrorRate(a.Errors, a.Requests),
		P50:   Quantile(a.Latency, 0.5),
		P99:   Quantile(a.Latency, 0.99),
	}
}

// addArm adds up counts. A histogram with other bounds than the sum so far begins
// it anew, since counts of different buckets cannot be added.
func addArm(sum, a *judge.Arm) {
	sum.Requests += a.Requests
	sum.Errors += a.Errors
	if len(a.Latency.Bounds) == 0 {
		return
	}
	if !sum.Latency.SameBounds(a.Latency) {
		sum.Latency = judge.Histogram{Bounds: a.Latency.Bounds, Counts: make([]int64, len(a.Latency.Bounds)+1)}
	}
	for i := range min(len(sum.Latency.Counts), len(a.Latency.Counts)) {
		sum.Latency.Counts[i] += a.Latency.Counts[i]
	}
}
