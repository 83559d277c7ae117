package drive

import (
	"slices"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// experience is what a canary learns from: how young instances were in the regions of
// earlier waves, the newest first, and in earlier releases in its own. It is no evidence
// about the revision: each region's judge begins anew.
func (t *transition) experience(rec Record, row TaskRow) (stage.Experience, error) {
	past, err := t.earlierWaves(rec, row)
	if err != nil {
		return stage.Experience{}, err
	}
	if left := stage.ExperienceReleases - len(past); left > 0 {
		before, err := t.tx.EarlyPoints(row, left, stage.ExperiencePoints)
		if err != nil {
			return stage.Experience{}, err
		}
		past = append(past, before...)
	}
	return stage.Learn(past), nil
}

// earlierWaves are the first points of the release in the regions where it has succeeded.
func (t *transition) earlierWaves(rec Record, row TaskRow) ([][]stage.Point, error) {
	plan := rec.Run.Plan
	env := plan.Environment(row.Entry)
	if env.Wave() < 2 {
		return nil, nil
	}
	var past [][]stage.Point
	for _, i := range slices.Backward(plan.Entries(env.In())) {
		e := &plan.Environments[i]
		if e.Service != env.Service || e.Wave() == 0 || e.Wave() >= env.Wave() || rec.Run.Environments[i].State != pipeline.EnvironmentSucceeded {
			continue
		}
		points, err := t.tx.FirstPoints(row.Release, e.Name, stage.ExperiencePoints)
		if err != nil {
			return nil, err
		}
		if past = append(past, points); len(past) == stage.ExperienceReleases/2 {
			break // the region's own past counts too
		}
	}
	return past, nil
}
