package pipeline

import (
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Next is the state machine: it maps a run and what happened to the next run and
// the commands that carry it out. now is the instant of the event.
//
// An event that makes no sense in the run's state changes nothing and is
// fault.Conflict, or fault.Denied where the actor may not do that. The run given
// is never changed. Exactly one command of kind CommandWake is returned.
func Next(run Run, event Event, now time.Time) (Run, []Command, error) {
	if run.Plan == nil {
		return run, nil, fault.Errorf(fault.Internal, "the run was loaded without its plan")
	}
	t := &turn{run: run.clone(), now: now, at: make(map[string]int, len(run.Environments)), regions: map[string][]int{}}
	for i, e := range run.Environments {
		t.at[e.Name] = i
		if leg := run.Plan.Environments[i].Leg; leg != nil {
			t.regions[leg.Environment] = append(t.regions[leg.Environment], i)
		}
	}
	if err := t.apply(event); err != nil {
		return run, nil, err
	}
	for t.advance() {
	}
	t.leaveLanes()
	t.settle()
	t.commands = append(t.commands, Command{Kind: CommandWake, At: t.nextWake()})
	return t.run, t.commands, nil
}

// turn is one call of Next in progress.
type turn struct {
	run      Run
	now      time.Time
	commands []Command
	// at is where the entries are, by name; regions are those of an environment with several.
	at      map[string]int
	regions map[string][]int
}

func (r *Run) clone() Run {
	c := *r
	c.Environments = slices.Clone(r.Environments)
	for i := range c.Environments {
		e := &c.Environments[i]
		e.Stages = slices.Clone(e.Stages)
		for j := range e.Stages {
			e.Stages[j].Approvals = slices.Clone(e.Stages[j].Approvals)
		}
	}
	return c
}

// apply takes the event in; what follows from it is advance's part.
func (t *turn) apply(ev Event) error {
	if t.run.State == RunPending && ev.Kind != EventCreated {
		return fault.Errorf(fault.Conflict, "the release has not begun")
	}
	switch ev.Kind {
	case EventCreated:
		return t.create(ev)
	case EventWoken:
		return nil
	case EventEvidence:
		return t.takeEvidence(ev)
	case EventOutage:
		return t.outage(ev)
	case EventLaneGranted:
		return t.grantLane(ev)
	case EventRollbackVoid:
		return t.voidRollback(ev)
	case EventLaneFrozen, EventLaneThawed:
		return t.freeze(ev)
	case EventApproved, EventRejected:
		return t.answer(ev)
	case EventPaused:
		return t.pause(ev)
	case EventResumed:
		return t.resume(ev)
	case EventRollback:
		return t.rollback(ev)
	case EventSkipped:
		return t.skip(ev)
	case EventSuperseded:
		return t.supersede(ev)
	case EventStagePassed, EventStageFailed, EventStageReported:
		return t.takeOutcome(ev)
	case EventUndoPassed, EventUndoFailed:
		return t.takeUndo(ev)
	}
	return fault.Errorf(fault.Invalid, "unknown event %q", ev.Kind)
}

func (t *turn) create(ev Event) error {
	if t.run.State != RunPending {
		return fault.Errorf(fault.Conflict, "the release was already begun")
	}
	t.run.State = RunRunning
	t.record(ev, "release.created", "Release of "+t.title()+" created.")
	return nil
}

func (t *turn) title() string { return t.run.Plan.Title() }

// titleIn names what of the release goes to the entry.
func (t *turn) titleIn(e *EnvironmentRun) string {
	plan := t.plan(e)
	if plan.Leg != nil && plan.Wave() == 0 {
		return t.title()
	}
	return t.run.Plan.ComponentOf(plan).title()
}

func (t *turn) takeEvidence(ev Event) error {
	if t.run.State.Final() {
		return fault.Errorf(fault.Conflict, "the release has ended (%s)", t.run.State)
	}
	t.record(ev, "evidence.posted", ev.Reason)
	return nil
}

// takeOutcome takes what a worker says about the stage that it carries out.
func (t *turn) takeOutcome(ev Event) error {
	e, s, err := t.running(ev)
	if err != nil {
		return err
	}
	s.Exposed = s.Exposed || ev.Exposed
	switch ev.Kind {
	case EventStagePassed:
		s.Memory = ev.Memory
		t.pass(e, s, ev)
	case EventStageFailed:
		s.Memory = ev.Memory
		s.State = StageFailed // its worker has ended it: there is nothing to stop
		t.fail(e, s, ev)
	default:
		t.ask(e, s, ev)
		if ev.Memory != nil {
			s.Memory = ev.Memory
		}
	}
	return nil
}

// ask notes what a person has to decide, or that nothing is to be decided any
// more. The stage's clock stands still between the two.
func (t *turn) ask(e *EnvironmentRun, s *StageRun, ev Event) {
	switch {
	case s.Overdue:
		return
	case ev.Asks != "" && s.Asks == "":
		s.AskedAt = t.now
		t.record(ev, "stage.asks", ev.Asks)
	case ev.Asks == "" && s.Asks != "":
		s.Deadline = s.Deadline.Add(stoodStill(s.AskedAt, e.HeldSince, t.now))
		s.AskedAt = time.Time{}
		// An answer is to one question: it must not decide a later one.
		t.command(Command{Kind: CommandDecide, Environment: ev.Environment, Stage: ev.Stage})
	}
	s.Asks = ev.Asks
}

// running returns the environment and stage that a worker's event is about, if
// that stage is running.
func (t *turn) running(ev Event) (*EnvironmentRun, *StageRun, error) {
	e := t.run.Environment(ev.Environment)
	if e == nil {
		return nil, nil, fault.Errorf(fault.NotFound, "the release has no environment %q", ev.Environment)
	}
	p := t.plan(e)
	if e.State != EnvironmentRunning || p.Stages[e.Stage].Name != ev.Stage || e.Stages[e.Stage].State != StageRunning {
		return nil, nil, fault.Errorf(fault.Conflict, "stage %s is not running in %s", ev.Stage, ev.Environment)
	}
	if !p.Stages[e.Stage].Kind.OnWorker() {
		return nil, nil, fault.Errorf(fault.Conflict, "stage %s is not carried out by a worker", ev.Stage)
	}
	return e, &e.Stages[e.Stage], nil
}

// plan is what the plan says of the entry: runs have the order of their plans.
func (t *turn) plan(e *EnvironmentRun) *Environment { return &t.run.Plan.Environments[t.at[e.Name]] }

// record adds a line to the ledger.
func (t *turn) record(ev Event, line, text string) {
	actor := ev.Actor
	if actor == "" {
		actor = "fairway"
	}
	t.commands = append(t.commands, Command{
		Kind: CommandRecord, Environment: ev.Environment, Stage: ev.Stage,
		Line: line, Text: text, Actor: actor, Data: ev.Data,
	})
}

func (t *turn) command(c Command) { t.commands = append(t.commands, c) }
