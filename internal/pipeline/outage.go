package pipeline

import (
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// LeastOutage is the least time without a server that is made up for, since a restart
// takes less, and the least by which a clock that was set back moves a run.
const LeastOutage = 20 * time.Second

// Outage is a time in which no server was there. A zero Began is unknown. It ends
// before it begins where the clock was set back meanwhile; how long it was is
// unknown then.
type Outage struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// rest returns how much of the next outage the run has not heard of, and since
// when: a server that was killed while it told of one tells of it again. It is
// negative by as much as the clock was set back.
func (o Outage) rest(next Outage) (began time.Time, lost time.Duration) {
	switch {
	case next.Began.IsZero():
		return next.Ended, 0
	case next.Began.Equal(o.Began), next.Began.Before(o.Ended):
		return o.Ended, next.Ended.Sub(o.Ended)
	}
	return next.Began, next.Ended.Sub(next.Began)
}

// outage takes in that for a while no server was there. The clock of a running stage
// stood still meanwhile, as in a pause; and a stage whose time is all but over gets
// until ev.Until, since its worker may have finished and must be heard first. A
// stage that is held or asks needs nothing: its clock stands still anyway.
//
// An environment that needs a release to have been elsewhere for a while waits
// longer too, since nobody saw whether it ran there, or could have stopped it. What
// goes by the calendar stays: a gate's now, and how long a given approval counts.
//
// Where the clock was set back instead, all instants of the run move with it.
func (t *turn) outage(ev Event) error {
	if t.run.State.Final() {
		return fault.Errorf(fault.Conflict, "the release has ended (%s)", t.run.State)
	}
	began, lost := t.run.Outage.rest(ev.Outage)
	if lost.Abs() >= LeastOutage {
		t.run.Outage = ev.Outage
	}
	switch {
	case lost >= LeastOutage:
		t.prolongNeeds(began, lost)
	case lost <= -LeastOutage:
		t.moveBack(-lost)
		lost = 0
	default:
		lost = 0
	}
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		if e.State == EnvironmentRunning || e.State == EnvironmentRollingBack {
			t.extend(e, ev, lost)
		}
	}
	return nil
}

// prolongNeeds does not count the outage for how long the release has been in an
// environment that another one needs.
func (t *turn) prolongNeeds(began time.Time, lost time.Duration) {
	var waiting []*EnvironmentRun
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		if e.State == EnvironmentPending && !t.waitsAlike(i) && t.needsAt(e).After(began) {
			waiting = append(waiting, e)
		}
	}
	for i := range t.run.Environments {
		if e := &t.run.Environments[i]; e.State == EnvironmentSucceeded {
			e.Away += Duration(lost)
		}
	}
	for _, e := range waiting {
		t.record(Event{Environment: e.Name}, "environment.extended", fmt.Sprintf("The server was away %s: what %s needs holds from %s.",
			awayFor(lost), e.Name, t.needsAt(e).UTC().Format(time.RFC3339)))
	}
}

// extend moves the deadline of the environment's stage by what an outage took.
func (t *turn) extend(e *EnvironmentRun, ev Event, lost time.Duration) {
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	forward := s.State == StageRunning && t.held(e) == ""
	if !forward && s.State != StageUndoing || s.Deadline.IsZero() || s.Asks != "" {
		return
	}
	deadline := s.Deadline.Add(lost)
	if deadline.Before(ev.Until) {
		deadline = ev.Until
	}
	if deadline.Equal(s.Deadline) {
		return
	}
	s.Deadline = deadline
	ev.Environment, ev.Stage = e.Name, stage.Name
	t.record(ev, "stage.extended", fmt.Sprintf("The server was away %s: stage %s in %s has until %s.",
		awayFor(lost), stage.Name, e.Name, deadline.UTC().Format(time.RFC3339)))
	if stage.Kind.OnWorker() {
		t.command(Command{Kind: CommandHoldTask, Environment: e.Name, Stage: stage.Name, At: deadline})
	}
}

// moveBack moves all that the run remembers of the time with a clock that was set
// back, so that whoever had a minute left has a minute left.
func (t *turn) moveBack(by time.Duration) {
	if t.run.Paused != nil {
		paused := *t.run.Paused
		moveBack(by, &paused.At)
		t.run.Paused = &paused
	}
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		moveBack(by, &e.StartedAt, &e.EndedAt, &e.HeldSince, &e.AskedAt)
		for j := range e.Stages {
			s := &e.Stages[j]
			moveBack(by, &s.StartedAt, &s.EndedAt, &s.Deadline, &s.AskedAt)
			for k := range s.Approvals {
				moveBack(by, &s.Approvals[k].At)
			}
		}
		t.tellDeadline(e)
	}
	t.record(Event{}, "release.moved-back", fmt.Sprintf("The server's clock was set back by %s, and what the release waits for with it.",
		Duration(by.Round(time.Second))))
}

func moveBack(by time.Duration, instants ...*time.Time) {
	for _, at := range instants {
		if !at.IsZero() {
			*at = at.Add(-by)
		}
	}
}

// tellDeadline tells the task of the environment's stage, if there is one, until
// when it has.
func (t *turn) tellDeadline(e *EnvironmentRun) {
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	c := Command{Kind: CommandHoldTask, Environment: e.Name, Stage: stage.Name, At: s.Deadline}
	switch {
	case e.State == EnvironmentRunning && s.State == StageRunning && stage.Kind.OnWorker():
		c.Text = t.held(e)
		t.command(c)
	case e.State == EnvironmentRollingBack && s.State == StageUndoing:
		t.command(c)
	}
}

func awayFor(lost time.Duration) string {
	if lost == 0 {
		return "for a moment"
	}
	return "for " + Duration(lost.Round(time.Second)).String()
}
