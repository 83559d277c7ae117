package pipeline

import (
	"slices"
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
	count, asks := map[EnvironmentState]int{}, false
	var states []EnvironmentState // of the environments
	for i, e := range t.run.Environments {
		count[e.State]++
		asks = asks || e.Asks != ""
		if in := t.run.Plan.Environments[i].In(); i == 0 || t.run.Plan.Environments[i-1].In() != in {
			states = append(states, t.run.StateOf(in))
		}
	}
	switch {
	case count[EnvironmentRollingBack] > 0, asks:
		return RunRollingBack
	case count[EnvironmentRunning]+count[EnvironmentPending] > 0:
		return RunRunning
	}
	if t.run.Superseded {
		return RunSuperseded
	}
	for _, state := range slices.Backward(states) {
		switch state {
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
		if t.waitsAlike(i) {
			continue
		}
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

// waitsAlike tells whether the entry waits for the same as the one before it, with which it
// is in a wave.
func (t *turn) waitsAlike(i int) bool {
	return i > 0 && t.run.Environments[i].State == EnvironmentPending && t.run.Environments[i-1].State == EnvironmentPending &&
		t.waveEnd(i-1) > i
}
