package pipeline

import (
	"fmt"
	"time"
)

// outage takes in that for a while no server was there. The clock of a running stage
// stood still meanwhile, as in a pause; and a stage whose time is all but over gets
// until ev.Until, since its worker may have finished and must be heard first. A
// stage that is held or asks needs nothing: its clock stands still anyway.
func (t *turn) outage(ev Event) error {
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		if e.State == EnvironmentRunning {
			t.extend(e, ev)
		}
	}
	return nil
}

// extend moves the deadline of the environment's stage by what an outage took.
func (t *turn) extend(e *EnvironmentRun, ev Event) {
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	if s.State != StageRunning || s.Deadline.IsZero() || s.Asks != "" || t.held(e) != "" {
		return
	}
	deadline := s.Deadline.Add(ev.Lost.Std())
	if deadline.Before(ev.Until) {
		deadline = ev.Until
	}
	if deadline.Equal(s.Deadline) {
		return
	}
	s.Deadline = deadline
	away := "for a moment"
	if ev.Lost > 0 {
		away = "for " + Duration(ev.Lost.Std().Round(time.Second)).String()
	}
	ev.Environment, ev.Stage = e.Name, stage.Name
	t.record(ev, "stage.extended", fmt.Sprintf("The server was away %s: stage %s in %s has until %s.",
		away, stage.Name, e.Name, deadline.UTC().Format(time.RFC3339)))
	if stage.Kind.OnWorker() {
		t.command(Command{Kind: CommandHoldTask, Environment: e.Name, Stage: stage.Name, At: deadline})
	}
}
