package release

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sampled(id int64, second int, requests, errors int64) SampledPoint {
	return SampledPoint{ID: id, Environment: "production", Stage: "canary", Point: stage.Point{Sample: judge.Sample{
		At:     noon.Add(time.Duration(second) * time.Second),
		Stable: judge.Arm{Requests: requests, Latency: judge.Histogram{Bounds: []float64{0.1, 1}, Counts: []int64{requests, 0, 0}}},
		Canary: judge.Arm{Requests: requests, Errors: errors},
	}}}
}

func TestAChartLooksOverItsWindow(t *testing.T) {
	var c Chart
	c.Add(sampled(1, 0, 100, 100))
	p := c.Add(sampled(2, 10, 100, 0))
	if p.CanaryChart.Error.Value != 0.5 {
		t.Errorf("after 10 s the error rate is %v, want 0.5", p.CanaryChart.Error.Value)
	}
	p = c.Add(sampled(3, 30, 100, 0))
	if p.CanaryChart.Error.Value != 0 {
		t.Errorf("the point of 30 s ago still counts: %v", p.CanaryChart.Error.Value)
	}
	if !p.StableChart.P50.Known || p.CanaryChart.P50.Known {
		t.Errorf("P50 known: stable %v, canary %v; want true, false", p.StableChart.P50.Known, p.CanaryChart.P50.Known)
	}
}

func TestAChartKeepsMissingSamplesOut(t *testing.T) {
	var c Chart
	c.Add(sampled(1, 0, 100, 10))
	broken := sampled(2, 5, 1000, 1000)
	broken.Sample.Missing = "the source is down"
	if p := c.Add(broken); p.CanaryChart.Error.Value != 0.1 {
		t.Errorf("a missing sample was counted: %v", p.CanaryChart.Error.Value)
	}
}

func TestAChartBeginsAnewWithEveryStage(t *testing.T) {
	var c Chart
	c.Add(sampled(1, 0, 100, 100))
	next := sampled(2, 1, 100, 0)
	next.Stage = "watch"
	if p := c.Add(next); p.CanaryChart.Error.Value != 0 {
		t.Errorf("the stage before is still counted: %v", p.CanaryChart.Error.Value)
	}
}

func TestHistogramsOfOtherBoundsAreNotAddedUp(t *testing.T) {
	sum := judge.Arm{}
	addArm(&sum, &judge.Arm{Latency: judge.Histogram{Bounds: []float64{1}, Counts: []int64{5, 0}}})
	addArm(&sum, &judge.Arm{Latency: judge.Histogram{Bounds: []float64{2, 3}, Counts: []int64{1, 2, 3}}})
	if len(sum.Latency.Counts) != 3 || sum.Latency.Counts[2] != 3 {
		t.Errorf("the sum is %+v, want only the newer bounds", sum.Latency)
	}
}
