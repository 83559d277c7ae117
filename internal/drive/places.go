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
		t.Service, t.Environment, t.Region = p.ServiceOf(e), e.In(), e.Region
	}
	return t
}

// LanesOf names the lanes of an environment of the plan, sorted, of which one of its entries
// may be named: one for each service that goes there. The regions of an environment share
// one; else it has the target's name.
func LanesOf(p *pipeline.Plan, entry string) []string {
	var lanes []string
	for _, e := range p.Places(TargetOf(p, entry).Environment) {
		lanes = append(lanes, laneOf(p, e))
	}
	slices.Sort(lanes)
	return slices.Compact(lanes)
}

// LaneOf names the lane of one of the plan's services in an environment that it goes to.
func LaneOf(p *pipeline.Plan, service, environment string) string {
	for _, e := range p.Places(environment) {
		if p.ServiceOf(e) == service {
			return laneOf(p, e)
		}
	}
	return platform.Target{Service: service, Environment: environment}.String()
}

func laneOf(p *pipeline.Plan, e *pipeline.Environment) string {
	t := platform.Target{Service: p.ServiceOf(e), Environment: e.In(), Region: e.Region}
	if e.Place() != e.In() {
		t.Region = ""
	}
	return t.String()
}

// shared tells whether the environment has several entries, which share its lanes.
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

// AtHome are the entries of the environment, by name, in which the release is at home, given
// what is at home in each; and which newer release may need what it has there, or none. A newer
// release of a service may need whatever this one's needed: the services of earlier steps, or of
// later ones where an older release was brought back. One that was only taken back needs nothing.
func AtHome(release string, run *pipeline.Run, environment string, homes map[string]string) map[string]string {
	plan, all, newer := run.Plan, map[string]string{}, map[string]string{}
	entries := plan.Entries(environment)
	if !plan.Retreat { // else those that need others go first, and so come first
		slices.Reverse(entries)
	}
	for _, i := range entries {
		e := &plan.Environments[i]
		if e.Leg != nil && e.Wave() == 0 {
			continue // nothing is placed there
		}
		switch home := homes[e.Name]; home {
		case release:
			all[e.Name] = newer[e.Place()]
		case "", run.Environments[i].Before:
		default:
			newer[e.Place()] = home
		}
	}
	return all
}

// grant is the event that gives the release the lane of the environment, with what is at home
// in it; or that calls its rollback off, where nothing of the release may go back.
func (t *transition) grant(rec Record, environment string) (pipeline.Event, error) {
	plan := rec.Run.Plan
	ev := pipeline.Event{Kind: pipeline.EventLaneGranted, Environment: environment}
	entries, homes := plan.Entries(environment), map[string]string{}
	for _, i := range entries {
		e := &plan.Environments[i]
		home, err := t.tx.Home(TargetOf(plan, e.Name).String())
		if err != nil {
			return ev, err
		}
		homes[e.Name] = home
		if e.Leg == nil {
			ev.Before = home
		} else {
			ev.Homes = homes
		}
	}
	home, waits := AtHome(rec.Release, &rec.Run, environment, homes), 0
	for _, i := range entries {
		e := &rec.Run.Environments[i]
		if e.Lane != pipeline.LaneQueued {
			continue
		}
		waits++
		needed, there := home[e.Name]
		if e.State == pipeline.EnvironmentRollingBack && (!there || needed != "") {
			ev.Void = append(ev.Void, e.Name)
		}
	}
	if len(ev.Void) == waits {
		return pipeline.Event{Kind: pipeline.EventRollbackVoid, Environment: environment}, nil
	}
	return ev, nil
}
