package pipeline

import (
	"strings"
	"time"
)

// settle derives the state of the whole run from its environments.
func (t *turn) settle() {
	was := t.run.State
	t.run.State = t.derive()
	switch {
	case !t.run.State.Final():
		t.run.EndedAt = time.Time{}
	case was != t.run.State || t.run.EndedAt.IsZero():
		t.run.EndedAt = t.now
		t.run.Paused = nil
		t.record(Event{}, "release."+string(t.run.State), t.title()+" "+endings[t.run.State]+".")
	}
}

// endings finish the sentence "shop v2 …".
var endings = map[RunState]string{
	RunSucceeded:  "is released",
	RunRolledBack: "was rolled back",
	RunFailed:     "failed",
	RunSuperseded: "was superseded by a newer release",
	RunCancelled:  "was called off",
}

func (t *turn) derive() RunState {
	if t.run.State == RunPending {
		return RunPending
	}
	count := map[EnvironmentState]int{}
	for _, e := range t.run.Environments {
		count[e.State]++
	}
	switch {
	case count[EnvironmentRollingBack] > 0:
		return RunRollingBack
	case count[EnvironmentRunning]+count[EnvironmentPending] > 0:
		return RunRunning
	}
	if t.run.Superseded {
		return RunSuperseded
	}
	for i := len(t.run.Environments) - 1; i >= 0; i-- {
		switch t.run.Environments[i].State {
		case EnvironmentSucceeded:
			if count[EnvironmentCancelled] > 0 {
				return RunCancelled
			}
			return RunSucceeded
		case EnvironmentRolledBack:
			return RunRolledBack
		case EnvironmentFailed:
			return RunFailed
		}
	}
	return RunCancelled
}

// nextWake is the earliest instant at which time alone can change the run; zero if none.
func (t *turn) nextWake() time.Time {
	var at time.Time
	sooner := func(c time.Time) {
		if !c.IsZero() && (at.IsZero() || c.Before(at)) {
			at = c
		}
	}
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		switch {
		case e.State == EnvironmentRollingBack: // which nothing holds
			if s := e.Stages[e.Stage]; s.State == StageUndoing && !s.Overdue && !s.Deadline.IsZero() {
				sooner(s.Deadline.Add(undoHeard))
			}
		case t.held(e) != "":
		case e.State == EnvironmentPending && !t.run.State.Final():
			if needs := t.needsAt(e); needs.After(t.now) {
				sooner(needs)
			}
		case e.State == EnvironmentRunning && e.Stages[e.Stage].State == StageRunning:
			if e.Stages[e.Stage].Asks == "" {
				sooner(e.Stages[e.Stage].Deadline)
			}
			if g := t.plan(e).Stages[e.Stage].Gate; g != nil && strings.Contains(g.When, "now") {
				sooner(t.now.Add(gateInterval))
			}
		}
	}
	return at
}

// gateInterval is how often a gate that depends on the time is looked at.
const gateInterval = time.Minute
