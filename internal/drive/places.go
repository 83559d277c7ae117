package drive

import (
	"slices"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// TargetOf is where an entry of the plan goes: the environment of that name, or one of its
// regions. Homes, fences and drift are the target's.
func TargetOf(p *pipeline.Plan, entry string) platform.Target {
	t := platform.Target{Service: p.Service, Environment: entry}
	if e := p.Environment(entry); e != nil {
		t.Environment, t.Region = e.In(), e.Region
	}
	return t
}

// LaneOf names the lane of an entry of the plan, or of an environment. The regions of an
// environment share one; else it has the target's name.
func LaneOf(p *pipeline.Plan, entry string) string {
	t := TargetOf(p, entry)
	if shared(p, t.Environment) {
		t.Region = ""
	}
	return t.String()
}

// shared tells whether the environment has regions that share its lane.
func shared(p *pipeline.Plan, environment string) bool {
	all := p.Entries(environment)
	return len(all) > 0 && p.Environments[all[0]].Leg != nil
}

// anyEntry tells whether the condition holds in an entry of the environment.
func anyEntry(run *pipeline.Run, environment string, holds func(*pipeline.EnvironmentRun) bool) bool {
	return slices.ContainsFunc(run.Plan.Entries(environment), func(i int) bool { return holds(&run.Environments[i]) })
}

// retreats tells whether the release goes back in the environment, or in one of its regions.
func retreats(run *pipeline.Run, environment string) bool {
	return anyEntry(run, environment, func(e *pipeline.EnvironmentRun) bool { return e.State == pipeline.EnvironmentRollingBack })
}

// advances tells whether the release goes on in the environment: also between two waves.
func advances(run *pipeline.Run, environment string) bool {
	between := shared(run.Plan, environment)
	return anyEntry(run, environment, func(e *pipeline.EnvironmentRun) bool {
		return e.State == pipeline.EnvironmentRunning || between && e.State == pipeline.EnvironmentPending
	})
}

// grant is the event that gives the release the lane of the environment, with what is at home
// in it; or that calls its rollback off, where nothing of the release is.
func (t *transition) grant(rec Record, environment string) (pipeline.Event, error) {
	plan := rec.Run.Plan
	ev := pipeline.Event{Kind: pipeline.EventLaneGranted, Environment: environment}
	waits := 0
	for _, i := range plan.Entries(environment) {
		e := &rec.Run.Environments[i]
		home, err := t.tx.Home(TargetOf(plan, e.Name).String())
		if err != nil {
			return ev, err
		}
		if ev.Before = home; plan.Environments[i].Leg != nil {
			if ev.Homes == nil {
				ev.Homes = map[string]string{}
			}
			ev.Homes[e.Name], ev.Before = home, ""
		}
		if e.Lane != pipeline.LaneQueued {
			continue
		}
		waits++
		if e.State == pipeline.EnvironmentRollingBack && home != rec.Release {
			ev.Void = append(ev.Void, e.Name)
		}
	}
	if len(ev.Void) == waits {
		return pipeline.Event{Kind: pipeline.EventRollbackVoid, Environment: environment}, nil
	}
	return ev, nil
}
