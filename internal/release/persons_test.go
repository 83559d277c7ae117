package release

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestWhoWaitsForAPersonAndSinceWhen(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(r *pipeline.Run)
		since time.Time
	}{
		"nobody, while a worker works": {func(*pipeline.Run) {}, time.Time{}},
		"a pause":                      {func(r *pipeline.Run) { r.Paused = &pipeline.Pause{At: noon.Add(time.Hour)} }, noon.Add(time.Hour)},
		"an approval": {func(r *pipeline.Run) {
			inProduction(r, 1).Stages[1].StartedAt = noon.Add(2 * time.Hour)
		}, noon.Add(2 * time.Hour)},
		"a question": {func(r *pipeline.Run) {
			s := &inProduction(r, 2).Stages[2]
			s.Asks, s.AskedAt, s.StartedAt = "promote?", noon.Add(3*time.Hour), noon
		}, noon.Add(3 * time.Hour)},
		"an undo that failed": {func(r *pipeline.Run) {
			e := inProduction(r, 2)
			e.State, e.Stages[2].Asks, e.Stages[2].StartedAt = pipeline.EnvironmentRollingBack, "mend it", noon.Add(time.Hour)
		}, noon.Add(time.Hour)},
		"not one that has ended": {func(r *pipeline.Run) {
			e := inProduction(r, 2)
			e.State, e.Stages[2].Asks = pipeline.EnvironmentFailed, "mend it"
		}, time.Time{}},
		"a question about earlier waves": {func(r *pipeline.Run) {
			e := inProduction(r, 2)
			e.State, e.Asks, e.AskedAt, e.EndedAt = pipeline.EnvironmentRolledBack, "keep it?", noon.Add(time.Hour), noon.Add(2*time.Hour)
		}, noon.Add(time.Hour)},
		"one that an older Fairway has asked": {func(r *pipeline.Run) {
			e := inProduction(r, 2)
			e.State, e.Asks, e.EndedAt = pipeline.EnvironmentRolledBack, "keep it?", noon.Add(2*time.Hour)
		}, noon.Add(2 * time.Hour)},
		"the first of two questions": {func(r *pipeline.Run) {
			later, first := &r.Environments[0], inProduction(r, 2)
			later.State, later.Asks, later.AskedAt = pipeline.EnvironmentFailed, "keep it?", noon.Add(time.Hour)
			first.Stages[2].Asks, first.Stages[2].AskedAt = "promote?", noon
		}, noon},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun()
			c.set(r)
			if got := waitsSince(*r); !got.Equal(c.since) {
				t.Errorf("it waits since %s, want %s", got, c.since)
			}
		})
	}
}
