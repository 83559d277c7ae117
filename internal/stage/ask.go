package stage

import (
	"time"

	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// ask is what a source is asked for: the task's revision, which has the weight, beside stable.
func (f footing) ask(task Task, s platform.State, a pipeline.Analysis, weight float64, now time.Time) metric.Ask {
	stable, canary := f.stable(), task.Revision.ID
	ask := metric.Ask{
		Service: task.Service, Environment: task.Environment, Region: task.Region,
		Stable: stable, Canary: canary, Weight: weight, WarmUp: warmUp, Now: now,
		StableBackend: backendOf(s, stable), CanaryBackend: backendOf(s, canary),
		StableInstances: readyOf(s, stable), CanaryInstances: readyOf(s, canary),
		Custom: customMetrics(a.Metrics),
	}
	if a.WarmUp > 0 {
		ask.WarmUp = a.WarmUp.Std()
	}
	return ask
}

// backendOf is what the platform sends the revision's traffic to, for queries that ask by it;
// empty where the platform has no name for it.
func backendOf(s platform.State, revision string) string {
	r, _ := s.Revision(revision)
	return r.Backend
}

// readyOf is how many of the revision's instances serve.
func readyOf(s platform.State, revision string) int {
	r, _ := s.Revision(revision)
	return r.Ready()
}
