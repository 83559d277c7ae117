package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// advance does one thing that can be done now, and tells whether it did one: first what
// takes back, the newest first, then what goes on, in the order of the environments and waves.
func (t *turn) advance() bool {
	if t.run.State == RunPending {
		return false
	}
	for i := range slices.Backward(t.run.Environments) {
		if e := &t.run.Environments[i]; e.State == EnvironmentRollingBack && t.undoNext(e) {
			return true
		}
	}
	ready := true // every environment, and every wave, before this one has succeeded or was skipped
	lost := false // one of them has ended without success
	for i := 0; i < len(t.run.Environments); {
		end := t.waveEnd(i)
		for j := i; j < end; j++ {
			if t.forward(j, ready, lost) {
				return true
			}
		}
		for ; i < end; i++ {
			state := t.run.Environments[i].State
			ready = ready && (state == EnvironmentSucceeded || state == EnvironmentSkipped)
			lost = lost || state == EnvironmentRolledBack || state == EnvironmentFailed || state == EnvironmentCancelled
		}
	}
	return false
}

// forward moves the entry on if it can.
func (t *turn) forward(i int, ready, lost bool) bool {
	e := &t.run.Environments[i]
	switch {
	case e.State == EnvironmentRunning:
		return t.stageNext(e)
	case e.State == EnvironmentPending && ready:
		return t.begin(i)
	case e.State == EnvironmentPending && lost:
		return t.cancel(e)
	}
	return false
}

func (t *turn) cancel(e *EnvironmentRun) bool {
	e.State = EnvironmentCancelled
	e.EndedAt = t.now
	if e.Reason == "" {
		e.Reason = "an earlier environment did not succeed"
	}
	return true
}

// begin starts an environment whose turn it is, once what it needs holds.
func (t *turn) begin(i int) bool {
	e := &t.run.Environments[i]
	if t.run.Paused != nil || t.needsAt(e).After(t.now) {
		return false
	}
	e.State = EnvironmentRunning
	e.StartedAt = t.now
	e.Stage = 0
	plan := t.plan(e)
	if wave, in := plan.Wave(), plan.In(); wave > 0 && plan.Step() < 2 && plan.Place() != in && t.firstOf(i) {
		t.record(Event{Environment: in}, "wave.began", fmt.Sprintf("Wave %d of %s begins: %s.", wave, in, t.regionsOf(i)))
	}
	t.record(Event{Environment: e.Name}, "environment.began", fmt.Sprintf("The release goes to %s.", e.Name))
	return true
}

// needsAt is the instant from which the environment's needs hold, given that the
// environments before it have succeeded or were skipped.
func (t *turn) needsAt(e *EnvironmentRun) time.Time {
	at := t.baked(e)
	for _, n := range t.plan(e).Needs {
		if t.run.StateOf(n.Environment) != EnvironmentSucceeded {
			continue
		}
		for _, i := range t.run.Plan.Entries(n.Environment) {
			before := &t.run.Environments[i]
			if before.State != EnvironmentSucceeded {
				continue
			}
			if ok := before.EndedAt.Add((n.For + before.Away).Std()); ok.After(at) {
				at = ok
			}
		}
	}
	return at
}

// stageNext moves the environment's current stage.
func (t *turn) stageNext(e *EnvironmentRun) bool {
	s := &e.Stages[e.Stage]
	switch s.State {
	case StagePending:
		return t.start(e)
	case StageRunning:
		return t.wait(e)
	case StagePassed:
		if e.Stage+1 < len(e.Stages) {
			e.Stage++
			return true
		}
		if t.run.Plan.Drill != nil {
			t.takeBack(e, "a drill is never promoted")
			return true
		}
		return t.succeed(e)
	}
	return false
}

// start begins the current stage, unless something holds it. The first stage of a
// worker asks for the lane, so nobody blocks a lane while waiting for people.
func (t *turn) start(e *EnvironmentRun) bool {
	stage := &t.plan(e).Stages[e.Stage]
	if t.held(e) != "" {
		return false
	}
	if stage.Kind.OnWorker() {
		have, asked := t.haveLane(e, t.run.Plan.Retreat || t.run.Plan.Drill != nil)
		if !have || t.held(e) != "" {
			return asked
		}
	}
	s := &e.Stages[e.Stage]
	s.State = StageRunning
	s.StartedAt = t.now
	s.Deadline = t.now.Add(stage.TimeLimit.Std())
	ev := Event{Environment: e.Name, Stage: stage.Name}
	t.record(ev, "stage.started", fmt.Sprintf("Stage %s began in %s.", stage.Name, e.Name))
	switch {
	case stage.Kind.OnWorker():
		t.command(Command{Kind: CommandStartTask, Environment: e.Name, Stage: stage.Name, At: s.Deadline})
	case stage.Kind == KindNotify:
		t.command(Command{Kind: CommandNotify, Environment: e.Name, Stage: stage.Name, Webhook: stage.Notify.Webhook, Text: stage.Notify.Message})
		t.pass(e, s, ev)
	}
	return true
}

// held says why the environment may not advance; empty when it may.
func (t *turn) held(e *EnvironmentRun) string {
	if t.run.Paused != nil {
		return because("paused by "+t.run.Paused.By, t.run.Paused.Reason)
	}
	if t.run.Plan.Retreat {
		return ""
	}
	return e.Frozen
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// wait looks whether the running stage has come to its end: by its condition, or
// by its time limit.
func (t *turn) wait(e *EnvironmentRun) bool {
	if t.held(e) != "" {
		return false
	}
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	switch stage.Kind {
	case KindGate:
		if t.gate(e, stage.Gate, s) {
			return true
		}
	case KindApproval:
		if t.approved(stage.Approval, s) {
			t.pass(e, s, Event{Environment: e.Name, Stage: stage.Name, Reason: "approved by " + names(s.Approvals)})
			return true
		}
	}
	if s.Asks == "" && !s.Deadline.IsZero() && !t.now.Before(s.Deadline) {
		// A stage that waits for a person's answer has no time limit.
		if (stage.Kind == KindCanary || stage.Kind == KindWatch) && t.run.Plan.Drill == nil {
			t.overdue(e, s, stage)
			return true
		}
		reason := fmt.Sprintf("it did not finish within its time limit of %s", stage.TimeLimit)
		if s.Reason != "" {
			reason += "; " + s.Reason
		}
		if doing := t.run.Doing[e.Name]; doing != "" {
			reason += "; last: " + doing
		}
		t.fail(e, s, Event{Environment: e.Name, Stage: stage.Name, Reason: reason})
		return true
	}
	return false
}

// overdue asks a person about a judged stage at its time limit: the time alone is
// no evidence of harm.
func (t *turn) overdue(e *EnvironmentRun, s *StageRun, stage *Stage) {
	s.Overdue = true
	s.Asks = fmt.Sprintf("stage %s came to no verdict within its time limit of %s: go on without proof, or roll back?", stage.Name, stage.TimeLimit)
	s.AskedAt = t.now
	t.record(Event{Environment: e.Name, Stage: stage.Name}, "stage.asks", s.Asks)
}

func names(given []ApprovalGiven) string {
	who := make([]string, len(given))
	for i, a := range given {
		who[i] = a.By
	}
	return strings.Join(who, ", ")
}

// gate passes the stage when its condition holds over the evidence, and says
// what is awaited when it does not.
func (t *turn) gate(e *EnvironmentRun, g *Gate, s *StageRun) bool {
	ev := Event{Environment: e.Name, Stage: t.plan(e).Stages[e.Stage].Name}
	ok, waiting, err := EvalGate(g.When, t.gateInput(e))
	switch {
	case err != nil:
		ev.Reason = "the condition cannot be evaluated: " + err.Error()
		t.fail(e, s, ev)
		return true
	case ok:
		ev.Reason = "the condition holds"
		t.pass(e, s, ev)
		return true
	}
	if g.Message != "" {
		waiting = g.Message
	}
	s.Reason = waiting
	return false
}

// gateInput is what the gate at which the entry waits can see. Among several services it is
// about the one whose definition has the gate: its artifact, and its drift.
func (t *turn) gateInput(e *EnvironmentRun) GateInput {
	plan := t.plan(e)
	gate := &plan.Stages[e.Stage]
	c := t.run.Plan.ComponentAt(plan, gate)
	in := GateInput{
		Evidence:     t.run.Evidence,
		Release:      map[string]any{"service": c.Service, "version": c.Version, "digest": c.Digest, "author": t.run.Author},
		Environments: map[string]any{},
		Now:          t.now,
	}
	if d, ok := t.run.Drift[t.run.Plan.About(plan, gate)]; ok {
		in.Drift = &d
	}
	for _, e := range t.run.Environments {
		since := e.EndedAt
		if since.IsZero() {
			since = e.StartedAt
		}
		in.Environments[e.Name] = map[string]any{"state": string(e.State), "since": since}
	}
	for environment := range t.regions {
		in.Environments[environment] = map[string]any{"state": string(t.run.StateOf(environment)), "since": t.since(environment)}
	}
	return in
}

// since is when the last of an environment's regions came to where it is.
func (t *turn) since(environment string) time.Time {
	var at time.Time
	for _, i := range t.run.Plan.Entries(environment) {
		e := &t.run.Environments[i]
		for _, c := range []time.Time{e.StartedAt, e.EndedAt} {
			if c.After(at) {
				at = c
			}
		}
	}
	return at
}

// approved tells whether enough people have approved, recently enough.
func (t *turn) approved(a *Approval, s *StageRun) bool {
	fresh := 0
	for _, g := range s.Approvals {
		if a.Expires == 0 || t.now.Before(g.At.Add(a.Expires.Std())) {
			fresh++
		}
	}
	return fresh >= a.Count
}

func (t *turn) pass(e *EnvironmentRun, s *StageRun, ev Event) {
	s.State = StagePassed
	s.EndedAt = t.now
	s.Reason = ev.Reason
	s.Asks = ""
	text := fmt.Sprintf("Stage %s passed in %s.", ev.Stage, e.Name)
	if ev.Reason != "" {
		text = fmt.Sprintf("Stage %s passed in %s: %s.", ev.Stage, e.Name, strings.TrimSuffix(ev.Reason, "."))
	}
	t.record(ev, "stage.passed", text)
}

// fail ends the stage and takes the environment back.
func (t *turn) fail(e *EnvironmentRun, s *StageRun, ev Event) {
	t.stop(e)
	s.State = StageFailed
	s.EndedAt = t.now
	s.Reason = ev.Reason
	s.Asks = ""
	t.record(ev, "stage.failed", fmt.Sprintf("Stage %s failed in %s: %s.", ev.Stage, e.Name, strings.TrimSuffix(ev.Reason, ".")))
	e.FailedStage = ev.Stage
	t.takeBack(e, fmt.Sprintf("stage %s failed: %s", ev.Stage, ev.Reason))
	t.stopWaves(e)
}

// succeed ends the environment and leaves the fact as evidence for the next.
func (t *turn) succeed(e *EnvironmentRun) bool {
	e.State = EnvironmentSucceeded
	e.EndedAt = t.now
	e.Reason = ""
	t.leaveLane(e)
	plan := t.plan(e)
	if plan.Leg != nil && plan.Wave() == 0 {
		return true // nothing of it is at home anywhere yet
	}
	t.record(Event{Environment: e.Name}, "environment.succeeded", fmt.Sprintf("%s is now at home in %s.", t.titleIn(e), plan.Place()))
	t.prove(plan.In())
	return true
}

// prove leaves the fact that each artifact of the release has succeeded in the environment, if
// no other regions or services of it are to follow.
func (t *turn) prove(environment string) {
	if t.run.StateOf(environment) != EnvironmentSucceeded {
		return
	}
	proven := map[string]bool{} // services may have the same artifact
	for _, service := range t.run.Plan.ServicesIn(environment) {
		c := t.run.Plan.component(service)
		if proven[c.Digest] {
			continue
		}
		proven[c.Digest] = true
		fact := Evidence{Digest: c.Digest, Kind: "environment", Name: environment, Status: "passed", At: t.now, By: "fairway"}
		t.run.Evidence = append(slices.Clone(t.run.Evidence), fact) // the next environment may wait for it
		t.command(Command{Kind: CommandAddEvidence, Environment: environment, Evidence: &fact})
	}
}

// leaveLane gives the entry's lane back. A region keeps what it shares with others until all
// of them have come to an end; what is at home in it is noted at once.
func (t *turn) leaveLane(e *EnvironmentRun) {
	if e.Lane == LaneNone {
		return
	}
	if t.plan(e).Leg != nil {
		if e.Lane == LaneHeld {
			t.command(Command{Kind: CommandNoteHome, Environment: e.Name})
		}
		return
	}
	e.Lane = LaneNone
	e.Frozen = ""
	t.command(Command{Kind: CommandReleaseLane, Environment: e.Name})
}
