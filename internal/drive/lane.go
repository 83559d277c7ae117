package drive

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// acquireLane puts the release in the queue of its lane, lets it supersede older
// ones that only wait there, and grants the lane if it is free.
func (t *transition) acquireLane(rec Record, c pipeline.Command) error {
	lane, environment := LaneOf(rec.Run.Plan, c.Environment), TargetOf(rec.Run.Plan, c.Environment).Environment
	before, err := t.tx.Lane(lane)
	if err != nil {
		return err
	}
	if len(before) > 0 && before[0].Held && before[0].Release == rec.Release {
		return t.grantMore(rec.Release, environment)
	}
	if err := t.tx.JoinLane(lane, rec.Release, environment); err != nil {
		return err
	}
	if !c.Undo {
		if err := t.supersede(rec.Release, environment, before); err != nil {
			return err
		}
	}
	if err := t.grantNext(lane, rec.Run.Plan.Service, environment); err != nil {
		return err
	}
	return t.tellQueued(lane, rec.Release, environment)
}

// tellQueued writes down whom the release waits behind, if it still waits.
func (t *transition) tellQueued(lane, release, environment string) error {
	entries, err := t.tx.Lane(lane)
	if err != nil {
		return err
	}
	place := slices.IndexFunc(entries, func(e LaneEntry) bool { return e.Release == release })
	if place <= 0 {
		return nil
	}
	before := make([]string, place)
	for i := range before {
		before[i] = entries[i].Release
	}
	first, err := t.loadRun(before[0])
	if err != nil {
		return err
	}
	rec, err := t.loadRun(release)
	if err != nil {
		return err
	}
	line := ledger.Event{
		Release: release, At: t.now, Kind: "lane.queued", Actor: "fairway", Environment: environment,
		Text: "Waits behind " + first.Run.Plan.Title() + " for the lane of " + environment + ".",
		Data: releasesData(before...),
	}
	if err := t.append(&rec, []ledger.Event{line}); err != nil {
		return err
	}
	return t.saveRun(rec, rec.Wake)
}

// releasesData names the releases that a line speaks of.
func releasesData(ids ...string) json.RawMessage {
	data, _ := json.Marshal(map[string][]string{"releases": ids})
	return data
}

// supersede lets the newer of two releases that queue take the place of the older,
// in whatever order they came. IDs sort by the time of creation.
func (t *transition) supersede(release, environment string, before []LaneEntry) error {
	for _, e := range before {
		if e.Held || e.Release == release {
			continue
		}
		older, newer, where := e.Release, release, e.Environment
		if older > newer {
			older, newer, where = newer, older, environment
		}
		by, err := t.loadRun(newer)
		if err != nil {
			return err
		}
		if by.Run.Plan.Drill != nil { // it takes nobody's place
			continue
		}
		ev := pipeline.Event{
			Kind: pipeline.EventSuperseded, Environment: where,
			Reason: "by the newer release " + by.Run.Plan.Title(), Data: releasesData(newer),
		}
		if err := ignoreConflict(t.apply(older, ev)); err != nil {
			return err
		}
	}
	return nil
}

// releaseLane takes the release out of its lane, notes whose revision is at home,
// and lets the next one move.
func (t *transition) releaseLane(rec Record, c pipeline.Command) error {
	lane := LaneOf(rec.Run.Plan, c.Environment)
	entries, err := t.tx.Lane(lane)
	if err != nil {
		return err
	}
	// Who only queued has changed nothing there, and regions have told of theirs.
	if !shared(rec.Run.Plan, c.Environment) && len(entries) > 0 && entries[0].Held && entries[0].Release == rec.Release {
		if err := t.noteHome(rec, c.Environment); err != nil {
			return err
		}
	}
	if err := t.tx.LeaveLane(lane, rec.Release); err != nil {
		return err
	}
	return t.grantNext(lane, rec.Run.Plan.Service, c.Environment)
}

// noteHome notes whose revision is at home where the release came to an end.
func (t *transition) noteHome(rec Record, environment string) error {
	target := TargetOf(rec.Run.Plan, environment).String()
	switch e := rec.Run.Environment(environment); e.State {
	case pipeline.EnvironmentSucceeded:
		if !movesTraffic(rec.Run.Plan.Environment(environment)) {
			return nil
		}
		return t.tx.SetHome(target, rec.Release)
	case pipeline.EnvironmentRolledBack:
		home, err := t.tx.Home(target)
		if err != nil || home != rec.Release {
			return err
		}
		return t.tx.SetHome(target, e.Before)
	}
	return nil
}

func movesTraffic(e *pipeline.Environment) bool {
	for _, s := range e.Stages {
		if s.Kind.Moves() {
			return true
		}
	}
	return false
}

// grantNext grants the lane to the first in its queue, if nobody holds it. A
// frozen lane is granted only to a retreat.
func (t *transition) grantNext(lane, service, environment string) error {
	entries, err := t.tx.Lane(lane)
	if err != nil || len(entries) == 0 || entries[0].Held {
		return err
	}
	frozen, err := t.frozen(service, environment)
	if err != nil {
		return err
	}
	for _, e := range entries {
		rec, err := t.loadRun(e.Release)
		if err != nil {
			return fmt.Errorf("grant lane %s: %w", lane, err)
		}
		late := retreats(&rec.Run, e.Environment)
		if frozen != "" && !late && !rec.Run.Plan.Retreat {
			if err := t.tellFrozen(rec, e.Environment, frozen); err != nil {
				return err
			}
			continue
		}
		granted, err := t.grant(rec, e.Environment)
		if err != nil {
			return err
		}
		// Whose rollback is called off leaves the lane, and grants it to the next one.
		if granted.Kind == pipeline.EventLaneGranted {
			if err := t.tx.HoldLane(lane, e.Release); err != nil {
				return err
			}
		}
		return t.step(rec, granted)
	}
	return nil
}

// grantMore gives the lane that the release holds also to regions of it which had left it, or
// calls their rollback off where another release has come home since.
func (t *transition) grantMore(release, environment string) error {
	rec, err := t.loadRun(release)
	if err != nil {
		return err
	}
	granted, err := t.grant(rec, environment)
	if err != nil {
		return err
	}
	return t.step(rec, granted)
}

// tellFrozen tells a run in the lane why it is frozen (or that it is no longer), once.
func (t *transition) tellFrozen(rec Record, environment, reason string) error {
	all := rec.Run.Plan.Entries(environment)
	want := ""
	if reason != "" {
		want = "frozen: " + reason
	}
	if len(all) == 0 || rec.Run.Environments[all[0]].Frozen == want {
		return nil
	}
	kind := pipeline.EventLaneFrozen
	if reason == "" {
		kind = pipeline.EventLaneThawed
	}
	return ignoreConflict(t.step(rec, pipeline.Event{Kind: kind, Environment: environment, Reason: reason}))
}
