// Package forecast says what a plan's judged stages will be able to see, before
// anything is shipped: it translates the plan into the judge's settings and asks
// the judge how small a regression it finds in the time and traffic of each level.
//
// It is pure: it sits between pipeline and judge, which do not know each other, and
// the executors of package stage use the same translation, so that a forecast is
// about what will really run.
package forecast

import (
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// settings translates what the plan says into the judge's words.
func settings(a pipeline.Analysis, falseAlarm float64) judge.Settings {
	s := judge.DefaultSettings()
	if falseAlarm > 0 {
		s.FalseAlarm = falseAlarm
	}
	if a.Block > 0 {
		s.Block = a.Block.Std()
		s.MaxBlock = max(s.MaxBlock, s.Block)
		s.OnsetHorizon = max(s.OnsetHorizon, s.Block)
	}
	if a.SlowerThan > 0 {
		s.SlowerThan = a.SlowerThan.Std()
	}
	if a.SLO > 0 {
		s.SLO, s.Errors = a.SLO, judge.SLOMargin(a.SLO)
	}
	if a.MarginErrors > 0 {
		s.Errors = judge.ErrorMargin(a.MarginErrors)
	}
	if a.MarginLatency > 0 {
		s.Latency = judge.LatencyMargin(a.MarginLatency, s.Errors.Promotion.Add)
	}
	s.Growth.Exposure = a.ExposureBudget
	if a.MinimumSamples > 0 {
		s.MinimumRequests = a.MinimumSamples
	}
	s.Custom = custom(a.Metrics)
	return s
}

// CanarySettings are the judge's settings for a canary of the plan.
func CanarySettings(c *pipeline.Canary, falseAlarm float64) judge.Settings {
	s := settings(c.Analysis, falseAlarm)
	s.Growth.First = c.FirstWeight
	if c.Every > 0 {
		s.Growth.Every = c.Every.Std()
	}
	if c.Dwell > 0 {
		s.Dwell = c.Dwell.Std()
	}
	if c.Observation > 0 {
		s.Observation = c.Observation.Std()
	}
	if c.Holdback > 0 {
		s.Growth.Holdback = c.Holdback
	}
	return s
}

// WatchSettings are the judge's settings for a watch of the plan, without what a
// minimum age may prolong it by.
func WatchSettings(w *pipeline.Watch, falseAlarm float64) judge.Settings {
	s := settings(w.Analysis, falseAlarm)
	s.Watch = w.For.Std()
	if w.Holdback > 0 {
		s.Growth.Holdback = w.Holdback
	}
	return s
}
