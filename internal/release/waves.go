package release

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// waves says how far a release has come in the regions of the environment, or with its
// services where it has none.
func (s scene) waves() string {
	in := s.plan.In()
	last := 0
	left, back := map[string]int{}, map[string]bool{} // by region, or by service
	things := "services"
	for _, i := range s.run.Plan.Entries(in) {
		e, state := &s.run.Plan.Environments[i], s.run.Environments[i].State
		if e.Wave() == 0 {
			continue
		}
		last = e.Wave()
		name := e.Service
		if e.Place() != in {
			name, things = e.Place(), "regions"
		}
		left[name] += 0
		switch state {
		case pipeline.EnvironmentSucceeded, pipeline.EnvironmentSkipped:
		case pipeline.EnvironmentRolledBack, pipeline.EnvironmentFailed, pipeline.EnvironmentRollingBack:
			back[name] = true
		default:
			left[name]++
		}
	}
	if len(back) > 0 {
		return fmt.Sprintf("%s goes back in %d of %d %s. ", in, len(back), len(left), things)
	}
	done := 0
	for _, n := range left {
		if n == 0 {
			done++
		}
	}
	switch {
	case s.plan.Wave() == 0:
		return ""
	case things == "services":
		return fmt.Sprintf("%d of %d services are done in %s. ", done, len(left), in)
	}
	return fmt.Sprintf("Wave %d of %d in %s, %d of %d regions are done. ", s.plan.Wave(), last, in, done, len(left))
}
