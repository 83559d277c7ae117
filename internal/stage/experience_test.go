package stage_test

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestExperienceIsThatOfAllEarlierReleases(t *testing.T) {
	bounds := []float64{0.1}
	point := stage.Point{Sample: judge.Sample{
		At: time.Date(2026, 5, 4, 9, 0, 15, 0, time.UTC), Weight: 0.1,
		Stable: judge.Arm{Requests: 900, Latency: judge.Histogram{Bounds: bounds, Counts: []int64{890, 10}}},
		Canary: judge.Arm{Requests: 100, Cold: judge.Histogram{Bounds: bounds, Counts: []int64{95, 5}}, ColdAge: 20},
	}}
	c := stage.Learn([][]stage.Point{{point}, {}, {point, point}}).ColdStart
	if len(c.Ages) != 2 || c.Ages[1].Canary[1] != 15 || c.Ages[1].Stable[0] != 2670 || c.Ages[0].Canary[0] != 0 {
		t.Errorf("%+v", c)
	}
}
