package forecast_test

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestCustomMetricsShareAFifthOfTheEvidence(t *testing.T) {
	a := pipeline.Analysis{Metrics: []pipeline.CustomMetric{
		{Name: "checkout-failures", Bad: "b", Of: "o", Margin: 0.005},
		{Name: "order-value", Sum: "s", Count: "c", Squares: "q", Better: "higher", Margin: 0.05},
	}}
	for what, s := range map[string]judge.Settings{
		"canary": forecast.CanarySettings(&pipeline.Canary{Analysis: a}, 0.004),
		"watch":  forecast.WatchSettings(&pipeline.Watch{Analysis: a, For: 60e9}, 0.001),
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		want := []judge.CustomMetric{
			{Name: "checkout-failures", Kind: judge.RatioMetric, Better: judge.LowerIsBetter, Margin: judge.RateMargin(0.005), Share: 0.1},
			{Name: "order-value", Kind: judge.MeanMetric, Better: judge.HigherIsBetter, Margin: judge.MeanMargin(0.05), Share: 0.1},
		}
		if len(s.Custom) != 2 || s.Custom[0] != want[0] || s.Custom[1] != want[1] {
			t.Errorf("%s: the judge is asked %+v", what, s.Custom)
		}
	}
}
