package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// waveEnd is where the entries end that may move at the same time as the one at i: those of
// its wave and step, else only itself.
func (t *turn) waveEnd(i int) int {
	first, end := &t.run.Plan.Environments[i], i+1
	for first.Wave() > 0 && end < len(t.run.Environments) {
		if next := &t.run.Plan.Environments[end]; next.Wave() != first.Wave() || next.Step() != first.Step() || next.In() != first.In() {
			break
		}
		end++
	}
	return end
}

// legs returns the indexes of all entries of the leg's environment.
func (t *turn) legs(e *EnvironmentRun) []int { return t.regions[t.plan(e).In()] }

// firstOf tells whether the entry is the first of its wave and step that begins.
func (t *turn) firstOf(i int) bool {
	first, end := i, t.waveEnd(i)
	for first > 0 && t.waveEnd(first-1) > first {
		first--
	}
	return !slices.ContainsFunc(t.run.Environments[first:end], func(e EnvironmentRun) bool {
		return e.Name != t.run.Environments[i].Name && !e.StartedAt.IsZero()
	})
}

// baked is the instant from which the waves before the leg's have run long enough, given that
// they have succeeded or were skipped.
func (t *turn) baked(e *EnvironmentRun) time.Time {
	var at time.Time
	leg := t.plan(e).Leg
	if leg == nil || leg.Wave == 0 {
		return at
	}
	for _, i := range t.legs(e) {
		before := &t.run.Environments[i]
		if w := t.run.Plan.Environments[i].Wave(); w == 0 || w >= leg.Wave || before.State != EnvironmentSucceeded {
			continue
		}
		if ok := before.EndedAt.Add((leg.Bake + before.Away).Std()); ok.After(at) {
			at = ok
		}
	}
	return at
}

// stopWaves says what the failure of a leg means for the other regions and services: its own
// wave goes back, later ones are called off, and earlier ones are as the plan says. An older
// release that is brought back stays in the regions where it came up: going round would bring
// back what it is to replace.
func (t *turn) stopWaves(failed *EnvironmentRun) {
	leg := t.plan(failed).Leg
	if leg == nil || leg.Wave == 0 {
		return
	}
	reason := fmt.Sprintf("it failed in %s", failed.Name)
	earlier := map[string]bool{}
	for _, i := range slices.Backward(t.legs(failed)) {
		e, plan := &t.run.Environments[i], &t.run.Plan.Environments[i]
		switch wave := plan.Wave(); {
		case e == failed, t.run.Plan.Retreat && plan.Place() != t.plan(failed).Place():
		case wave >= leg.Wave:
			t.turnRound(e, reason)
		case wave > 0 && e.State == EnvironmentSucceeded:
			earlier[plan.Place()] = true
			if leg.TakeBack == TakeBackAll {
				t.turnRound(e, reason)
			}
		}
	}
	if len(earlier) > 0 && leg.TakeBack == TakeBackAsk {
		failed.Asks = fmt.Sprintf("%s failed in %s, and is at home in %d of the regions before it: keep it there, or take it back?", t.title(), failed.Name, len(earlier))
		failed.AskedAt = t.now
		t.record(Event{Environment: leg.Environment}, "environment.asks", failed.Asks)
	}
}

// turnRound takes an entry back from wherever it is, and tells whether there was anything to do.
func (t *turn) turnRound(e *EnvironmentRun, reason string) bool {
	switch e.State {
	case EnvironmentPending:
		e.Reason = reason
		t.cancel(e)
	case EnvironmentRunning:
		t.stop(e)
		if s := &e.Stages[e.Stage]; s.State == StageRunning {
			s.State = StageCancelled
			s.EndedAt = t.now
			s.Asks = ""
		}
		t.takeBack(e, reason)
	case EnvironmentSucceeded:
		if t.plan(e).Leg != nil && t.plan(e).Wave() == 0 {
			return false // nothing was done there that could be undone
		}
		e.Stage = len(e.Stages) - 1
		t.takeBack(e, reason)
	default:
		return false
	}
	return true
}

// waitsForNewer tells whether the way back of a leg has to wait for that of later waves: a
// command that undoes may touch what the regions share. Who waits for a person holds up nobody.
// It always waits for the services that need its own.
func (t *turn) waitsForNewer(e *EnvironmentRun) bool {
	plan := t.plan(e)
	if t.neededBack(e) {
		return true
	}
	if plan.Wave() == 0 || !slices.ContainsFunc(plan.Stages, func(s Stage) bool { return s.runsToUndo() }) {
		return false
	}
	return slices.ContainsFunc(t.legs(e), func(i int) bool {
		newer := &t.run.Environments[i]
		s := &newer.Stages[newer.Stage]
		return t.run.Plan.Environments[i].Wave() > plan.Wave() && newer.State == EnvironmentRollingBack &&
			s.State != StageUndoFailed && !s.Overdue
	})
}

// neededBack tells whether a service of a later step is still on its way back at the same
// place: on the revision before, it could not rely on what is new in this one.
func (t *turn) neededBack(e *EnvironmentRun) bool {
	plan := t.plan(e)
	return plan.Step() > 0 && slices.ContainsFunc(t.legs(e), func(i int) bool {
		later := &t.run.Plan.Environments[i]
		return later.Step() > plan.Step() && later.Place() == plan.Place() && t.run.Environments[i].State == EnvironmentRollingBack
	})
}

// rollbackAll is a person's wish to take back all entries that belong to the name: of all
// regions of an environment, or of all services in one.
func (t *turn) rollbackAll(environment string, ev Event) error {
	ev.Environment = environment
	reason := because("asked by "+ev.Actor, ev.Reason)
	state := t.run.StateOf(environment)
	lines := len(t.commands)
	t.record(ev, "release.rollback-requested", "Rollback in "+t.wholeOf(environment)+" "+reason+".")
	turned := false
	for _, i := range slices.Backward(t.run.Plan.Entries(environment)) {
		e := &t.run.Environments[i]
		if e.Asks != "" && t.plan(e).In() == environment { // earlier waves are meant too
			e.Asks, e.AskedAt, turned = "", time.Time{}, true
		}
		if e.State == EnvironmentRollingBack && e.Stages[e.Stage].Asks != "" {
			turned = t.undoAnew(e, ev) || turned
			continue
		}
		turned = t.turnRound(e, reason) || turned
	}
	if turned {
		return nil
	}
	// Only a wish that has nothing else to do stops what nobody complains of.
	for _, i := range slices.Backward(t.run.Plan.Entries(environment)) {
		turned = t.undoAnew(&t.run.Environments[i], ev) || turned
	}
	if turned {
		return nil
	}
	t.commands = t.commands[:lines]
	refused := fault.Errorf(fault.Conflict, "there is nothing to roll back in %s: it is %s", environment, state)
	if state == EnvironmentRollingBack {
		return refused.WithHint("it goes on by itself until everything is taken back; look how it stands with `fairway status`")
	}
	return refused
}

// wholeOf names an environment with all its regions, or a place, for people.
func (t *turn) wholeOf(name string) string {
	if i := t.regions[name]; i != nil && t.run.Plan.Environments[i[len(i)-1]].Place() != name {
		return "all regions of " + name
	}
	return name
}

// undoAnew tries a region's undoing again, and tells whether that can be.
func (t *turn) undoAnew(e *EnvironmentRun, ev Event) bool {
	ev.Environment = e.Name
	return e.State == EnvironmentRollingBack && t.retryUndo(e, ev) == nil
}

// decideWaves takes a person's answer to what becomes of the waves before the one that failed.
func (t *turn) decideWaves(failed *EnvironmentRun, ev Event) error {
	if err := t.mayApprove(decidingRoles, ev); err != nil {
		return err
	}
	leg := t.plan(failed).Leg
	ev.Environment, ev.Stage = leg.Environment, ""
	failed.Asks, failed.AskedAt = "", time.Time{}
	if ev.Kind == EventApproved {
		t.record(ev, "environment.decided", because(fmt.Sprintf("%s decided to keep the regions of %s before %s", ev.Actor, leg.Environment, failed.Name), ev.Reason)+".")
		return nil
	}
	t.record(ev, "environment.decided", because(fmt.Sprintf("%s decided to take the regions of %s before %s back", ev.Actor, leg.Environment, failed.Name), ev.Reason)+".")
	for _, i := range slices.Backward(t.legs(failed)) {
		if wave := t.run.Plan.Environments[i].Wave(); wave > 0 && wave < leg.Wave {
			t.turnRound(&t.run.Environments[i], because("taken back by "+ev.Actor, ev.Reason))
		}
	}
	return nil
}

// haveLane tells whether the entry has its lane, and asks for it where it has not. The
// regions of an environment share one: what one of them has or waits for, all do. Only who
// goes back after it had left the lane asks again: another release may have come home since.
func (t *turn) haveLane(e *EnvironmentRun, undo bool) (have, asked bool) {
	if e.Lane == LaneNone && t.plan(e).Leg != nil {
		if e.State != EnvironmentRollingBack {
			e.Lane, e.Frozen = t.sharedLane(e)
		} else if slices.ContainsFunc(t.legs(e), func(i int) bool { return t.run.Environments[i].waitsToGoBack() }) {
			e.Lane = LaneQueued
		}
	}
	switch e.Lane {
	case LaneHeld:
		return true, false
	case LaneQueued:
		return false, false
	}
	e.Lane = LaneQueued
	t.command(Command{Kind: CommandAcquireLane, Environment: e.Name, Undo: undo})
	return false, true
}

// sharedLane is how the other regions stand to their lane.
func (t *turn) sharedLane(e *EnvironmentRun) (LaneState, string) {
	lane, frozen := LaneNone, ""
	for _, i := range t.legs(e) {
		other := &t.run.Environments[i]
		if other.Lane != LaneNone && lane != LaneHeld {
			lane, frozen = other.Lane, other.Frozen
		}
	}
	return lane, frozen
}

// leaveLanes gives back the lanes of environments in all of whose regions the release has
// come to an end.
func (t *turn) leaveLanes() {
	for _, environment := range slices.Sorted(maps.Keys(t.regions)) {
		all := t.regions[environment]
		inLane := slices.ContainsFunc(all, func(i int) bool { return t.run.Environments[i].Lane != LaneNone })
		if !inLane || slices.ContainsFunc(all, func(i int) bool { return t.run.Environments[i].goesOn() }) {
			continue
		}
		for _, i := range all {
			t.run.Environments[i].Lane, t.run.Environments[i].Frozen = LaneNone, ""
		}
		t.command(Command{Kind: CommandReleaseLane, Environment: environment})
	}
}

// goesOn tells whether the entry has not come to an end.
func (e *EnvironmentRun) goesOn() bool {
	switch e.State {
	case EnvironmentPending, EnvironmentRunning, EnvironmentRollingBack:
		return true
	}
	return e.Asks != ""
}

// shareGrant takes in that an environment's lane was granted to all its regions. What is at
// home in each is known now, and nobody else changes it while the lane is held.
func (t *turn) shareGrant(environment string, ev Event) error {
	all := t.run.Plan.Entries(environment)
	if !slices.ContainsFunc(all, func(i int) bool { return t.run.Environments[i].Lane == LaneQueued }) {
		return fault.Errorf(fault.Conflict, "the release does not wait for the lane of %s", environment)
	}
	if !t.holdsLane(environment) {
		t.record(ev, "lane.granted", "The release has the lane of "+environment+".")
	}
	for _, i := range all {
		e := &t.run.Environments[i]
		if e.Lane == LaneQueued && slices.Contains(ev.Void, e.Name) {
			t.callOff(e)
			e.Lane = LaneNone // the others have it
			continue
		}
		if e.Lane == LaneQueued {
			e.Lane = LaneHeld
		}
		e.Frozen = ""
		if e.State == EnvironmentRunning || e.State == EnvironmentPending {
			e.Before = ev.Homes[e.Name]
		}
	}
	return nil
}

// waitsToGoBack tells whether the entry's rollback waits for the lane.
func (e *EnvironmentRun) waitsToGoBack() bool {
	return e.State == EnvironmentRollingBack && e.Lane == LaneQueued
}

// holdsLane tells whether a region of the environment has the lane.
func (t *turn) holdsLane(environment string) bool {
	return slices.ContainsFunc(t.regions[environment], func(i int) bool { return t.run.Environments[i].Lane == LaneHeld })
}

// regionsOf joins the names of the regions of a wave, for people.
func (t *turn) regionsOf(i int) string {
	var names []string
	for j := i; j < t.waveEnd(i); j++ {
		names = append(names, t.run.Plan.Environments[j].Region)
	}
	if len(names) > 8 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:7], ", "), len(names)-7)
	}
	return list(names, "and")
}
