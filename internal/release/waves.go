package release

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// waves says how far a release has come in the regions of the environment.
func (s scene) waves() string {
	in := s.plan.In()
	last, done, back, regions := 0, 0, 0, 0
	for _, i := range s.run.Plan.Entries(in) {
		wave, state := s.run.Plan.Environments[i].Wave(), s.run.Environments[i].State
		if wave == 0 {
			continue
		}
		regions++
		last = wave
		switch state {
		case pipeline.EnvironmentSucceeded, pipeline.EnvironmentSkipped:
			done++
		case pipeline.EnvironmentRolledBack, pipeline.EnvironmentFailed, pipeline.EnvironmentRollingBack:
			back++
		}
	}
	if back > 0 {
		return fmt.Sprintf("%s goes back in %d of %d regions. ", in, back, regions)
	}
	if s.plan.Wave() == 0 {
		return ""
	}
	return fmt.Sprintf("Wave %d of %d in %s, %d of %d regions are done. ", s.plan.Wave(), last, in, done, regions)
}
