package stage

import (
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Experience is what earlier releases of a service teach the next one.
type Experience struct {
	// ColdStart is how slow their instances were when they were young.
	ColdStart judge.ColdStart `json:"coldStart,omitzero"`
}

// How much of the past is worth reading: the last releases, and of each the time in
// which its instances were cold, at a sample a second.
const (
	ExperienceReleases = 8
	ExperiencePoints   = 300
)

// Learns tells whether the task will have use for experience: a canary has, until its
// judge begins.
func (t Task) Learns() bool {
	var begun struct {
		Judge json.RawMessage `json:"judge"`
	}
	return t.Stage.Kind == pipeline.KindCanary && !t.Undo && recall(t, &begun) == nil && begun.Judge == nil
}

// Learn makes the experience of the points of earlier releases that went well.
func Learn(releases [][]Point) Experience {
	var e Experience
	for _, points := range releases {
		samples := make([]judge.Sample, len(points))
		for i, p := range points {
			samples[i] = p.Sample
		}
		e.ColdStart.Learn(samples)
	}
	return e
}
