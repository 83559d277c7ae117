package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// adminRole has every right.
const adminRole = "admin"

// answer takes a person's approval or rejection of the stage that waits for one.
func (t *turn) answer(ev Event) error {
	e, err := t.meant(ev)
	if err != nil {
		return err
	}
	if placeIn(ev.Environment) != ev.Environment { // what is asked of one service is answered for it
		e = t.run.Environment(ev.Environment)
	}
	if e.Asks != "" {
		return t.decideWaves(e, ev)
	}
	stage, s := &t.plan(e).Stages[e.Stage], &e.Stages[e.Stage]
	if ev.Stage != "" && ev.Stage != stage.Name {
		return fault.Errorf(fault.Conflict, "stage %s does not wait for an answer in %s; %s is the current one", ev.Stage, e.Name, stage.Name)
	}
	if e.State != EnvironmentRunning || s.State != StageRunning {
		return fault.Errorf(fault.Conflict, "nothing waits for an answer in %s", e.Name)
	}
	ev.Environment, ev.Stage = e.Name, stage.Name
	switch {
	case stage.Kind == KindApproval:
		return t.approval(e, stage.Approval, s, ev)
	case s.Asks != "":
		return t.decide(e, s, ev)
	}
	return fault.Errorf(fault.Conflict, "stage %s does not wait for a person", stage.Name)
}

func (t *turn) approval(e *EnvironmentRun, a *Approval, s *StageRun, ev Event) error {
	if err := t.mayApprove(a.Roles, ev); err != nil {
		return err
	}
	if ev.Kind == EventRejected {
		ev.Reason = because("rejected by "+ev.Actor, ev.Reason)
		t.fail(e, s, ev)
		return nil
	}
	given := ApprovalGiven{By: ev.Actor, Roles: ev.Roles, Reason: ev.Reason, At: t.now}
	// A person counts once: approving again renews the approval.
	s.Approvals = append(slices.DeleteFunc(s.Approvals, func(g ApprovalGiven) bool { return g.By == ev.Actor }), given)
	t.record(ev, "stage.approved", because(fmt.Sprintf("%s approved stage %s in %s", ev.Actor, ev.Stage, e.Name), ev.Reason)+".")
	return nil
}

// mayApprove refuses the author, people without a role that counts, and an
// approval that was given for something else than this release.
func (t *turn) mayApprove(roles []string, ev Event) error {
	if ev.Actor == t.run.Author {
		return fault.Errorf(fault.Denied, "%s made this release and cannot approve it", ev.Actor).
			WithHint("ask somebody else with the role %s", strings.Join(roles, " or "))
	}
	ok := slices.Contains(ev.Roles, adminRole) || slices.ContainsFunc(ev.Roles, func(r string) bool { return slices.Contains(roles, r) })
	if !ok {
		return fault.Errorf(fault.Denied, "%s has no role that may approve here", ev.Actor).
			WithHint("needed: %s", strings.Join(roles, " or "))
	}
	if digest := t.run.Plan.Component.Digest; ev.Digest != "" && ev.Digest != digest {
		return fault.Errorf(fault.Conflict, "the approval is for digest %s, the release has %s", ev.Digest, digest).
			WithHint("look at the release again and approve what it has now")
	}
	if ev.PlanHash != "" && ev.PlanHash != t.run.Plan.Hash() {
		return fault.Errorf(fault.Conflict, "the approval is for another plan than this release's").
			WithHint("look at the release again and approve what it has now")
	}
	return nil
}

// decidingRoles may decide in the place of missing proof.
var decidingRoles = []string{"release-manager", "sre"}

// decide takes a person's answer where the evidence gave none.
func (t *turn) decide(e *EnvironmentRun, s *StageRun, ev Event) error {
	if err := t.mayApprove(decidingRoles, ev); err != nil {
		return err
	}
	if ev.Kind == EventRejected {
		ev.Reason = because("rejected by "+ev.Actor, ev.Reason)
		t.fail(e, s, ev)
		return nil
	}
	t.command(Command{Kind: CommandDecide, Environment: e.Name, Stage: ev.Stage, Text: "promote"})
	t.record(ev, "stage.decided", because(fmt.Sprintf("%s decided to go on with stage %s in %s", ev.Actor, ev.Stage, e.Name), ev.Reason)+".")
	return nil
}

func (t *turn) pause(ev Event) error {
	if t.run.State.Final() {
		return fault.Errorf(fault.Conflict, "the release has ended (%s)", t.run.State)
	}
	if t.run.Paused != nil {
		return fault.Errorf(fault.Conflict, "the release is already paused by %s", t.run.Paused.By)
	}
	t.run.Paused = &Pause{By: ev.Actor, Reason: ev.Reason, At: t.now}
	t.record(ev, "release.paused", because("Paused by "+ev.Actor, ev.Reason)+".")
	for i := range t.run.Environments {
		t.hold(&t.run.Environments[i])
	}
	return nil
}

func (t *turn) resume(ev Event) error {
	if t.run.Paused == nil {
		return fault.Errorf(fault.Conflict, "the release is not paused")
	}
	t.run.Paused = nil
	t.record(ev, "release.resumed", because("Resumed by "+ev.Actor, ev.Reason)+".")
	for i := range t.run.Environments {
		t.hold(&t.run.Environments[i])
	}
	return nil
}

// freeze notes that the environment's lane was frozen or thawed, for all its regions.
func (t *turn) freeze(ev Event) error {
	all := t.run.Plan.Entries(ev.Environment)
	if len(all) == 0 {
		return fault.Errorf(fault.NotFound, "the release has no environment %q", ev.Environment)
	}
	if !slices.ContainsFunc(all, func(i int) bool { return t.run.Environments[i].Lane != LaneNone }) {
		return fault.Errorf(fault.Conflict, "the release is not in the lane of %s", ev.Environment)
	}
	frozen := ""
	if ev.Kind == EventLaneFrozen {
		frozen = because("frozen", ev.Reason)
		t.record(ev, "lane.frozen", because("The lane of "+ev.Environment+" is frozen", ev.Reason)+".")
	} else {
		t.record(ev, "lane.thawed", "The lane of "+ev.Environment+" moves again.")
	}
	for _, i := range all {
		e := &t.run.Environments[i]
		e.Frozen = frozen
		t.hold(e)
	}
	return nil
}

// hold tells the environment's task whether it may advance, and stops or restarts
// the clock of its stage.
func (t *turn) hold(e *EnvironmentRun) {
	if e.State != EnvironmentRunning {
		return
	}
	reason := t.held(e)
	s := &e.Stages[e.Stage]
	switch {
	case reason != "" && e.HeldSince.IsZero():
		e.HeldSince = t.now
	case reason == "" && !e.HeldSince.IsZero():
		if s.State == StageRunning && !s.Deadline.IsZero() {
			s.Deadline = s.Deadline.Add(stoodStill(e.HeldSince, s.AskedAt, t.now))
		}
		e.HeldSince = time.Time{}
	}
	if stage := t.plan(e).Stages[e.Stage]; s.State == StageRunning && stage.Kind.OnWorker() {
		t.command(Command{Kind: CommandHoldTask, Environment: e.Name, Stage: stage.Name, Text: reason, At: s.Deadline})
	}
}

// stoodStill is for how long what ends now, a hold or a question, has stopped a
// stage's clock since it began. While the other of the two goes on too (it began at
// other; zero if it does not), that one stops the clock, and tells so when it ends.
func stoodStill(since, other, now time.Time) time.Duration {
	if !other.IsZero() {
		return max(other.Sub(since), 0)
	}
	return now.Sub(since)
}

func (t *turn) grantLane(ev Event) error {
	if t.regions[ev.Environment] != nil {
		return t.shareGrant(ev.Environment, ev)
	}
	e := t.run.Environment(ev.Environment)
	if e == nil || e.Lane != LaneQueued {
		return fault.Errorf(fault.Conflict, "the release does not wait for the lane of %s", ev.Environment)
	}
	e.Lane = LaneHeld
	e.Frozen = ""
	if e.State == EnvironmentRunning {
		e.Before = ev.Before
	}
	t.record(ev, "lane.granted", "The release has the lane of "+e.Name+".")
	return nil
}

// skip leaves an environment out that has not begun, or one of its regions; it needs a role
// and a reason.
func (t *turn) skip(ev Event) error {
	all := t.run.Plan.Entries(ev.Environment)
	if len(all) == 0 {
		return fault.Errorf(fault.NotFound, "the release has no environment %q", ev.Environment)
	}
	for _, i := range all {
		e := &t.run.Environments[i]
		once := t.run.Plan.Environments[i].Leg != nil && t.run.Plan.Environments[i].Wave() == 0
		if t.run.State.Final() || e.State != EnvironmentPending && !(e.State == EnvironmentRunning && !e.touched()) && !once {
			return fault.Errorf(fault.Conflict, "%s cannot be skipped: it is %s", e.Name, e.State)
		}
	}
	if err := t.maySkip(&t.run.Plan.Environments[all[0]], ev); err != nil {
		return err
	}
	for _, i := range all {
		if e := &t.run.Environments[i]; e.goesOn() {
			t.leaveOut(e, ev)
		}
	}
	t.record(ev, "environment.skipped", fmt.Sprintf("%s skipped %s: %s.", ev.Actor, ev.Environment, strings.TrimSuffix(ev.Reason, ".")))
	t.prove(t.run.Plan.Environments[all[0]].In()) // the regions that were to follow may have been the last
	return nil
}

func (t *turn) maySkip(plan *Environment, ev Event) error {
	roles := plan.SkipRoles
	if len(roles) == 0 {
		roles = []string{"sre"}
	}
	if !slices.Contains(ev.Roles, adminRole) && !slices.ContainsFunc(ev.Roles, func(r string) bool { return slices.Contains(roles, r) }) {
		return fault.Errorf(fault.Denied, "%s has no role that may skip %s", ev.Actor, ev.Environment).
			WithHint("needed: %s", strings.Join(roles, " or "))
	}
	if strings.TrimSpace(ev.Reason) == "" {
		return fault.Errorf(fault.Invalid, "skipping %s needs a reason", ev.Environment)
	}
	return nil
}

func (t *turn) leaveOut(e *EnvironmentRun, ev Event) {
	t.leaveLane(e)
	for i := range e.Stages {
		if e.Stages[i].State != StagePassed {
			e.Stages[i].State = StageSkipped
		}
	}
	e.State = EnvironmentSkipped
	e.Reason = because("skipped by "+ev.Actor, ev.Reason)
	e.EndedAt = t.now
}

// touched tells whether a worker's stage was begun in the environment.
func (e *EnvironmentRun) touched() bool { return e.Lane == LaneHeld }

// supersede ends a release that only queues, in favour of a newer one.
func (t *turn) supersede(ev Event) error {
	all := t.run.Plan.Entries(ev.Environment)
	queues := slices.ContainsFunc(all, func(i int) bool {
		return t.run.Environments[i].State == EnvironmentRunning && t.run.Environments[i].Lane == LaneQueued
	})
	if !queues || !t.run.Plan.Supersede {
		return fault.Errorf(fault.Conflict, "the release cannot be superseded in %s", ev.Environment)
	}
	t.record(ev, "release.superseded", because("Superseded", ev.Reason)+".")
	for i := range t.run.Environments {
		e := &t.run.Environments[i]
		if e.State == EnvironmentRunning || e.State == EnvironmentPending {
			t.leaveLane(e)
			e.Reason = because("superseded", ev.Reason)
			t.cancel(e)
		}
	}
	t.run.Superseded = true
	return nil
}
