package drive

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// acquireLane puts the release in the queues of its lanes, lets it supersede older
// ones that only wait there, and grants them if they are free. It joins all of them at once:
// who is before whom is the same in each.
func (t *transition) acquireLane(rec Record, c pipeline.Command) error {
	lanes, environment := LanesOf(rec.Run.Plan, c.Environment), TargetOf(rec.Run.Plan, c.Environment).Environment
	var before []LaneEntry
	for _, lane := range lanes {
		entries, err := t.tx.Lane(lane)
		if err != nil {
			return err
		}
		if len(entries) > 0 && entries[0].Held && entries[0].Release == rec.Release {
			return t.grantMore(rec.Release, environment) // it holds the others too
		}
		before = append(before, entries...)
		if err := t.tx.JoinLane(lane, rec.Release, environment); err != nil {
			return err
		}
	}
	if !c.Undo {
		if err := t.supersede(rec, environment, before); err != nil {
			return err
		}
	}
	for _, lane := range lanes {
		if err := t.grantNext(lane); err != nil {
			return err
		}
	}
	return t.tellQueued(lanes, rec.Release, environment)
}

// Ahead are the releases that hold the lanes or wait in them before the given one, each once.
func Ahead(tx Lanes, lanes []string, release string) ([]string, error) {
	var before []string
	for _, lane := range lanes {
		entries, err := tx.Lane(lane)
		if err != nil {
			return nil, err
		}
		place := slices.IndexFunc(entries, func(e LaneEntry) bool { return e.Release == release })
		for _, e := range entries[:max(place, 0)] {
			if !slices.Contains(before, e.Release) {
				before = append(before, e.Release)
			}
		}
	}
	return before, nil
}

// tellQueued writes down whom the release waits behind, if it still waits.
func (t *transition) tellQueued(lanes []string, release, environment string) error {
	before, err := Ahead(t.tx, lanes, release)
	if err != nil || len(before) == 0 {
		return err
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
// in whatever order they came. IDs sort by the time of creation. One that has not all of the
// older one's services takes nobody's place: something would be lost.
func (t *transition) supersede(rec Record, environment string, before []LaneEntry) error {
	for _, e := range before {
		if e.Held || e.Release == rec.Release {
			continue
		}
		other, err := t.loadRun(e.Release)
		if err != nil {
			return err
		}
		older, newer, where := other, rec, e.Environment
		if older.Release > newer.Release {
			older, newer, where = newer, older, environment
		}
		by := newer.Run.Plan
		if by.Drill != nil || !hasAll(by.Services(), older.Run.Plan.Services()) ||
			!hasAll(by.ServicesIn(where), older.Run.Plan.ServicesIn(where)) { // it takes nobody's place
			continue
		}
		ev := pipeline.Event{
			Kind: pipeline.EventSuperseded, Environment: where,
			Reason: "by the newer release " + by.Title(), Data: releasesData(newer.Release),
		}
		if err := ignoreConflict(t.apply(older.Release, ev)); err != nil {
			return err
		}
	}
	return nil
}

func hasAll(services, others []string) bool {
	return !slices.ContainsFunc(others, func(other string) bool { return !slices.Contains(services, other) })
}

// releaseLane takes the release out of its lanes, notes whose revision is at home,
// and lets the next ones move.
func (t *transition) releaseLane(rec Record, c pipeline.Command) error {
	lanes := LanesOf(rec.Run.Plan, c.Environment)
	for _, lane := range lanes {
		entries, err := t.tx.Lane(lane)
		if err != nil {
			return err
		}
		// Who only queued has changed nothing there, and regions and services have told of theirs.
		if !shared(rec.Run.Plan, c.Environment) && len(entries) > 0 && entries[0].Held && entries[0].Release == rec.Release {
			if err := t.noteHome(rec, c.Environment); err != nil {
				return err
			}
		}
		if err := t.tx.LeaveLane(lane, rec.Release); err != nil {
			return err
		}
	}
	for _, lane := range lanes {
		if err := t.grantNext(lane); err != nil {
			return err
		}
	}
	return nil
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
// frozen lane is granted only to a retreat. A release with several lanes gets all of them at
// once, when it is the first in each: nobody holds one and waits for another.
func (t *transition) grantNext(lane string) error {
	first, rec, err := t.firstIn(lane)
	if err != nil || first == nil {
		return err
	}
	lanes := LanesOf(rec.Run.Plan, first.Environment)
	for _, other := range lanes {
		if other == lane {
			continue
		}
		if there, _, err := t.firstIn(other); err != nil || there == nil || there.Release != first.Release {
			return err
		}
	}
	granted, err := t.grant(rec, first.Environment)
	if err != nil {
		return err
	}
	// Whose rollback is called off leaves the lane, and grants it to the next one.
	if granted.Kind == pipeline.EventLaneGranted {
		for _, one := range lanes {
			if err := t.tx.HoldLane(one, first.Release); err != nil {
				return err
			}
		}
	}
	return t.step(rec, granted)
}

// firstIn is who may have the lane next, as far as it goes; nil where it is held, or nobody
// may. Who is frozen is told so, and passed over.
func (t *transition) firstIn(lane string) (*LaneEntry, Record, error) {
	entries, err := t.tx.Lane(lane)
	if err != nil || len(entries) == 0 || entries[0].Held {
		return nil, Record{}, err
	}
	for _, e := range entries {
		rec, err := t.loadRun(e.Release)
		if err != nil {
			return nil, rec, fmt.Errorf("grant lane %s: %w", lane, err)
		}
		frozen, err := t.frozenFor(rec.Run.Plan, e.Environment)
		if err != nil {
			return nil, rec, err
		}
		if mayHave(rec, e.Environment, frozen) {
			return &e, rec, nil
		}
		if err := t.tellFrozen(rec, e.Environment, frozen); err != nil {
			return nil, rec, err
		}
	}
	return nil, Record{}, nil
}

// grantMore gives the lanes that the release holds also to regions of it which had left them, or
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

// mayHave tells whether the lane may be granted to the release although it is frozen, or because
// it is not.
func mayHave(rec Record, environment, frozen string) bool {
	return frozen == "" || retreats(&rec.Run, environment) || rec.Run.Plan.Retreat
}

// knows tells whether the run has been told the reason why it is frozen in the environment, or
// that it is not.
func knows(rec Record, environment, reason string) bool {
	all := rec.Run.Plan.Entries(environment)
	want := ""
	if reason != "" {
		want = "frozen: " + reason
	}
	return len(all) == 0 || rec.Run.Environments[all[0]].Frozen == want
}

// tellFrozen tells a run in the lane why it is frozen (or that it is no longer), once.
func (t *transition) tellFrozen(rec Record, environment, reason string) error {
	if knows(rec, environment, reason) {
		return nil
	}
	kind := pipeline.EventLaneFrozen
	if reason == "" {
		kind = pipeline.EventLaneThawed
	}
	return ignoreConflict(t.step(rec, pipeline.Event{Kind: kind, Environment: environment, Reason: reason}))
}
