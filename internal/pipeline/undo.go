package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// takeBack turns the environment round: from its current stage backwards, what
// has an undo is undone. A retreat is never held by a pause or a freeze.
func (t *turn) takeBack(e *EnvironmentRun, reason string) {
	e.State = EnvironmentRollingBack
	e.Reason = reason
	e.EndedAt, e.Away = time.Time{}, 0
	e.HeldSince = time.Time{}
	if t.anythingToUndo(e) {
		t.record(Event{Environment: e.Name}, "environment.rolling-back", fmt.Sprintf("Rolling back in %s: %s.", e.Name, strings.TrimSuffix(reason, ".")))
	}
}

func (t *turn) anythingToUndo(e *EnvironmentRun) bool {
	for i, stage := range t.plan(e).Stages {
		if stage.undoable(&e.Stages[i]) {
			return true
		}
	}
	return false
}

// undoNext undoes the last stage that is still to be undone, or ends the environment.
func (t *turn) undoNext(e *EnvironmentRun) bool {
	plan := t.plan(e)
	for ; e.Stage >= 0; e.Stage-- {
		s, stage := &e.Stages[e.Stage], &plan.Stages[e.Stage]
		switch s.State {
		case StageUndoing:
			return t.undoOverdue(e, s, stage)
		case StageUndoFailed:
			return false
		}
		if stage.undoable(s) && s.State != StageUndone {
			return t.undo(e, s, stage)
		}
	}
	e.Stage = 0
	t.endUndone(e)
	return true
}

// undoable tells whether a rollback has anything to do about the stage.
func (s *Stage) undoable(run *StageRun) bool {
	switch {
	case run.StartedAt.IsZero():
		return false
	case s.onlyStops():
		return run.Cut
	}
	return s.Kind == KindDeploy || s.Kind == KindCanary || s.Kind == KindPromote || s.Kind == KindJob
}

// onlyStops tells whether undoing the stage means to end a command that may still
// run, and nothing else. Until then the lane is not free.
func (s *Stage) onlyStops() bool {
	return s.Kind == KindJob && len(s.Job.Undo) == 0 || s.Kind == KindCheck && len(s.Check.Command) > 0
}

func (t *turn) undo(e *EnvironmentRun, s *StageRun, stage *Stage) bool {
	if have, asked := t.haveLane(e, true); !have {
		return asked
	}
	// Only now: who waits in line with the others is asked whether it is at home as they are.
	if t.waitsForNewer(e) {
		return false
	}
	s.State = StageUndoing
	s.Asks, s.Overdue, s.AskedAt = "", false, time.Time{}
	s.Deadline = t.now.Add(stage.UndoLimit())
	text := "Undoing stage %s in %s."
	if stage.onlyStops() {
		text = "Stopping what stage %s runs in %s."
	}
	t.record(Event{Environment: e.Name, Stage: stage.Name}, "stage.undoing", fmt.Sprintf(text, stage.Name, e.Name))
	t.command(Command{Kind: CommandStartTask, Environment: e.Name, Stage: stage.Name, Undo: true, At: s.Deadline})
	return true
}

// runsToUndo tells whether undoing the stage means to run a command.
func (s *Stage) runsToUndo() bool { return s.Kind == KindJob && len(s.Job.Undo) > 0 }

const (
	// leastUndo is what every undoing gets.
	leastUndo = 5 * time.Minute
	// undoHeard is for how long after its time limit a worker is heard before a person
	// is told: it may have ended the undoing, or its command, by itself.
	undoHeard = time.Minute
	// undoAgainAfter is how long a command that undoes is safe from a second wish for the
	// same rollback: two people may ask at the same time.
	undoAgainAfter = time.Minute
)

// UndoLimit is how long undoing the stage may take. A command that undoes is stopped
// then, and has failed; traffic is taken back for as long as it takes, and a person
// is told.
func (s *Stage) UndoLimit() time.Duration {
	switch {
	case s.onlyStops():
		return leastUndo
	case s.Kind == KindCanary || s.Kind == KindPromote: // whose limit is that of the judging, and of its pauses
		return deployLimit.Std()
	}
	return max(s.TimeLimit.Std(), leastUndo)
}

// undoOverdue tells a person that an undoing takes too long. It goes on all the same:
// going back is never given up.
func (t *turn) undoOverdue(e *EnvironmentRun, s *StageRun, stage *Stage) bool {
	if s.Overdue || s.Deadline.IsZero() || t.now.Before(s.Deadline.Add(undoHeard)) {
		return false
	}
	s.Overdue, s.AskedAt = true, t.now
	limit := Duration(stage.UndoLimit())
	switch {
	case stage.onlyStops():
		s.Asks = fmt.Sprintf("what stage %s runs has not been stopped within %s; look whether its worker runs, and what it says", stage.Name, limit)
	case stage.runsToUndo():
		s.Asks = fmt.Sprintf("undoing stage %s has not ended within %s; look whether its worker runs, or ask for the rollback again to begin its undo anew", stage.Name, limit)
	default:
		s.Asks = fmt.Sprintf("undoing stage %s has not ended within %s; it goes on, look what hinders it", stage.Name, limit)
	}
	t.record(Event{Environment: e.Name, Stage: stage.Name}, "stage.undo-overdue", strings.ToUpper(s.Asks[:1])+s.Asks[1:]+".")
	return true
}

// endUndone ends an environment of which nothing is left to undo.
func (t *turn) endUndone(e *EnvironmentRun) {
	e.EndedAt = t.now
	t.leaveLane(e)
	ev := Event{Environment: e.Name}
	switch {
	case e.Exposed():
		e.State = EnvironmentRolledBack
		t.record(ev, "environment.rolled-back", fmt.Sprintf("%s was rolled back in %s.", t.titleIn(e), t.plan(e).Place()))
	case e.FailedStage != "":
		e.State = EnvironmentFailed
		t.record(ev, "environment.failed", fmt.Sprintf("%s failed in %s before it had any traffic.", t.titleIn(e), t.plan(e).Place()))
	default:
		e.State = EnvironmentCancelled
		t.record(ev, "environment.cancelled", fmt.Sprintf("%s was called off in %s.", t.titleIn(e), t.plan(e).Place()))
	}
}

// takeUndo takes what a worker says about an undoing.
func (t *turn) takeUndo(ev Event) error {
	e := t.run.Environment(ev.Environment)
	if e == nil {
		return fault.Errorf(fault.NotFound, "the release has no environment %q", ev.Environment)
	}
	if e.State != EnvironmentRollingBack || t.plan(e).Stages[e.Stage].Name != ev.Stage || e.Stages[e.Stage].State != StageUndoing {
		return fault.Errorf(fault.Conflict, "stage %s is not being undone in %s", ev.Stage, ev.Environment)
	}
	s := &e.Stages[e.Stage]
	s.Exposed = s.Exposed || ev.Exposed
	if ev.Memory != nil {
		s.Memory = ev.Memory // what the undo knows of the way back must outlive a failed try
	}
	if ev.Kind == EventUndoPassed {
		s.State = StageUndone
		s.Asks = ""
		text := "Stage %s undone in %s."
		if t.plan(e).Stages[e.Stage].onlyStops() {
			text = "Nothing of stage %s runs in %s any more."
		}
		t.record(ev, "stage.undone", fmt.Sprintf(text, ev.Stage, e.Name))
		return nil
	}
	s.State = StageUndoFailed
	s.Asks = fmt.Sprintf("undoing stage %s failed: %s; mend it and ask for the rollback again", ev.Stage, strings.TrimSuffix(ev.Reason, "."))
	t.record(ev, "stage.undo-failed", fmt.Sprintf("Undoing stage %s failed in %s: %s.", ev.Stage, e.Name, strings.TrimSuffix(ev.Reason, ".")))
	return nil
}

// rollback is a person's wish to take an environment back: the named one, or the
// current one.
func (t *turn) rollback(ev Event) error {
	e, err := t.meant(ev)
	if err != nil {
		return err
	}
	if in := t.plan(e).In(); t.plan(e).Leg != nil && (ev.Environment == "" || ev.Environment == in) {
		return t.rollbackAll(in, ev)
	}
	if plan := t.plan(e); plan.Service != "" {
		return t.rollbackAll(plan.Place(), ev)
	}
	ev.Environment = e.Name
	reason := because("asked by "+ev.Actor, ev.Reason)
	switch e.State {
	case EnvironmentPending:
		if t.run.State.Final() {
			return fault.Errorf(fault.Conflict, "the release has ended (%s)", t.run.State)
		}
		t.record(ev, "release.rollback-requested", "Rollback "+reason+".")
		e.Reason = reason
		t.cancel(e)
	case EnvironmentRunning:
		t.record(ev, "release.rollback-requested", "Rollback "+reason+".")
		t.turnRound(e, reason)
	case EnvironmentSucceeded:
		t.record(ev, "release.rollback-requested", "Late rollback "+reason+".")
		t.turnRound(e, reason)
	case EnvironmentRollingBack:
		return t.retryUndo(e, ev)
	default:
		return fault.Errorf(fault.Conflict, "there is nothing to roll back in %s: it is %s", e.Name, e.State)
	}
	return nil
}

// voidRollback calls off a late rollback that still queues.
func (t *turn) voidRollback(ev Event) error {
	void, held := 0, t.holdsLane(ev.Environment)
	for _, i := range t.run.Plan.Entries(ev.Environment) {
		if e := &t.run.Environments[i]; e.waitsToGoBack() {
			t.callOff(e)
			if held { // else all leave it together
				e.Lane = LaneNone
			}
			void++
		}
	}
	if void == 0 {
		return fault.Errorf(fault.Conflict, "no rollback queues in %s", ev.Environment)
	}
	return nil
}

// callOff ends a late rollback that has nothing to take back.
func (t *turn) callOff(e *EnvironmentRun) {
	t.leaveLane(e)
	e.State = EnvironmentSucceeded
	e.EndedAt = t.now
	e.Reason = "another release became the home before the rollback could begin"
	t.record(Event{Environment: e.Name}, "release.rollback-void", fmt.Sprintf("The rollback in %s was called off: %s.", e.Name, e.Reason))
}

// retryUndo tries an undoing again that had failed, or begins one anew whose command
// runs and does not end.
func (t *turn) retryUndo(e *EnvironmentRun, ev Event) error {
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	text := "Rollback tried again, "
	if s.State != StageUndoFailed {
		if err := t.mayUndoAnew(e); err != nil {
			return err
		}
		text = fmt.Sprintf("The undoing of stage %s is stopped and begun anew, ", stage.Name)
		t.command(Command{Kind: CommandCancelTask, Environment: e.Name, Stage: stage.Name})
	}
	s.State = StageCancelled
	s.Asks = ""
	t.record(ev, "release.rollback-requested", text+because("asked by "+ev.Actor, ev.Reason)+".")
	return nil
}

// mayUndoAnew says why an undoing under way cannot be stopped and begun anew.
func (t *turn) mayUndoAnew(e *EnvironmentRun) error {
	stage, from := t.plan(e).Stages[e.Stage], t.run.UndoAnewFrom(e)
	refused := fault.Errorf(fault.Conflict, "%s is already rolling back", e.Name)
	switch {
	case from.IsZero():
		return refused.WithHint("it goes on by itself until everything is taken back; look how it stands with `fairway status`")
	case t.now.Before(from):
		return refused.WithHint("from %s UTC on, the same wish stops what undoes stage %s and begins it anew", from.UTC().Format(time.TimeOnly), stage.Name)
	}
	return nil
}

// UndoAnewFrom is the instant from which a person who asks for a rollback again stops
// the undoing that is under way, and begins it anew; zero if it is not to be stopped.
func (r *Run) UndoAnewFrom(e *EnvironmentRun) time.Time {
	stage, s := &r.Plan.Environment(e.Name).Stages[e.Stage], &e.Stages[e.Stage]
	if e.State != EnvironmentRollingBack || s.State != StageUndoing || !stage.runsToUndo() {
		return time.Time{}
	}
	return s.Deadline.Add(undoAgainAfter - stage.UndoLimit())
}

// meant returns the environment that a person's event names, or the current one.
func (t *turn) meant(ev Event) (*EnvironmentRun, error) {
	e := t.run.Foremost(ev.Environment)
	if e == nil {
		return nil, fault.Errorf(fault.NotFound, "the release has no environment %q", ev.Environment)
	}
	return e, nil
}

// stop ends the task of the running stage, if it has one.
func (t *turn) stop(e *EnvironmentRun) {
	if s := &e.Stages[e.Stage]; s.State == StageRunning && t.plan(e).Stages[e.Stage].Kind.OnWorker() {
		s.Cut = true
		t.command(Command{Kind: CommandCancelTask, Environment: e.Name, Stage: t.plan(e).Stages[e.Stage].Name})
	}
}
