package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

const lane = "shop/staging"

func laneOrder(t *testing.T, s Store) {
	for _, id := range []string{"r3", "r1", "r2"} {
		s.addRelease(t, id, "shop")
		s.update(t, func(tx release.Tx) error { return tx.JoinLane(lane, id, "staging") })
	}
	s.update(t, func(tx release.Tx) error { return tx.JoinLane("shop/production", "r1", "production") })
	equal(t, "queue", inLane(t, s), "r3 r1 r2")
	s.update(t, func(tx release.Tx) error { return tx.HoldLane(lane, "r1") })
	equal(t, "queue behind a holder", inLane(t, s), "[r1] r3 r2")
	s.update(t, func(tx release.Tx) error { return tx.JoinLane(lane, "r3", "staging") })
	equal(t, "queue after joining again", inLane(t, s), "[r1] r3 r2")
	s.update(t, func(tx release.Tx) error { return tx.LeaveLane(lane, "r1") })
	s.update(t, func(tx release.Tx) error { return tx.JoinLane(lane, "r1", "staging") })
	equal(t, "queue after leaving and joining", inLane(t, s), "r3 r2 r1")
	equal(t, "lanes in use", joined(get(t, s, release.Tx.LanesInUse)), "shop/production shop/staging")
	entries := get(t, s, func(tx release.Tx) ([]drive.LaneEntry, error) { return tx.Lane("shop/production") })
	if len(entries) != 1 || entries[0].Lane != "shop/production" || entries[0].Release != "r1" || entries[0].Environment != "production" || entries[0].Held {
		t.Errorf("the other lane has %+v", entries)
	}
	s.update(t, func(tx release.Tx) error { return tx.LeaveLane("shop/production", "r1") })
	equal(t, "lanes in use", joined(get(t, s, release.Tx.LanesInUse)), "shop/staging")
}

func laneHolder(t *testing.T, s Store) {
	for _, id := range []string{"r1", "r2"} {
		s.addRelease(t, id, "shop")
		s.update(t, func(tx release.Tx) error { return tx.JoinLane(lane, id, "staging") })
	}
	hold := func(id string) error {
		return s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.HoldLane(lane, id) })
	}
	wantCode(t, "HoldLane of who did not join", hold("r9"), fault.NotFound)
	for range 2 {
		if err := hold("r2"); err != nil {
			t.Error(err)
		}
		wantCode(t, "HoldLane of a second", hold("r1"), fault.Conflict)
	}
	equal(t, "lane", inLane(t, s), "[r2] r1")
}

func inLane(t testing.TB, s Store) string {
	t.Helper()
	entries := get(t, s, func(tx release.Tx) ([]drive.LaneEntry, error) { return tx.Lane(lane) })
	var all []string
	for _, e := range entries {
		if e.Held {
			all = append(all, "["+e.Release+"]")
			continue
		}
		all = append(all, e.Release)
	}
	return joined(all)
}

// lanesBehaveAsLists compares a lane with a list that is treated alike.
func lanesBehaveAsLists(t *testing.T, s Store) {
	for i := range 6 {
		s.addRelease(t, fmt.Sprintf("r%d", i), "shop")
	}
	var queue []string
	holder := ""
	rapid.Check(t, func(rt *rapid.T) {
		id := fmt.Sprintf("r%d", rapid.IntRange(0, 5).Draw(rt, "release"))
		waits := slices.Contains(queue, id)
		var err error
		switch rapid.SampledFrom([]string{"join", "hold", "leave"}).Draw(rt, "action") {
		case "join":
			err = s.Drive.Update(t.Context(), func(tx drive.Tx) error { return tx.JoinLane(lane, id, "staging") })
			if !waits && id != holder {
				queue = append(queue, id)
			}
		case "leave":
			err = s.Drive.Update(t.Context(), func(tx drive.Tx) error { return tx.LeaveLane(lane, id) })
			queue = slices.DeleteFunc(queue, func(q string) bool { return q == id })
			if id == holder {
				holder = ""
			}
		case "hold":
			err = s.Drive.Update(t.Context(), func(tx drive.Tx) error { return tx.HoldLane(lane, id) })
			switch {
			case waits && holder == "":
				holder = id
				queue = slices.DeleteFunc(queue, func(q string) bool { return q == id })
			case id != holder:
				if fault.CodeOf(err) != fault.Conflict && fault.CodeOf(err) != fault.NotFound {
					rt.Fatalf("hold by %s with holder %q gave %v", id, holder, err)
				}
				err = nil
			}
		}
		if err != nil {
			rt.Fatal(err)
		}
		want := joined(queue)
		if holder != "" {
			want = joined([]string{"[" + holder + "]"}, queue)
		}
		if got := inLane(t, s); got != want {
			rt.Fatalf("the lane is %q, want %q", got, want)
		}
	})
}

func freezes(t *testing.T, s Store) {
	one := drive.Freeze{ID: "f1", Service: "shop", Reason: "audit", By: "ann", From: day, Until: at(60)}
	two := drive.Freeze{ID: "f2", Environment: "production", Reason: "Fridays", By: "bob", From: day,
		Rule: "FREQ=WEEKLY;BYDAY=FR", For: pipeline.Duration(time.Hour)}
	s.update(t, func(tx release.Tx) error {
		if err := tx.AddFreeze(one); err != nil {
			return err
		}
		return tx.AddFreeze(two)
	})
	equal(t, "freezes", get(t, s, release.Tx.Freezes), []drive.Freeze{one, two})
	again := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.AddFreeze(one) })
	wantCode(t, "AddFreeze again", again, fault.Conflict)
	s.update(t, func(tx release.Tx) error {
		if err := tx.EndFreeze("f1", at(5)); err != nil {
			return err
		}
		wantCode(t, "EndFreeze again", tx.EndFreeze("f1", at(6)), fault.NotFound)
		wantCode(t, "EndFreeze of none", tx.EndFreeze("f9", at(6)), fault.NotFound)
		return nil
	})
	equal(t, "freezes left", get(t, s, release.Tx.Freezes), []drive.Freeze{two})
}

func homes(t *testing.T, s Store) {
	s.update(t, func(tx release.Tx) error {
		none, err := tx.Home("shop/staging")
		equal(t, "home of nobody", none, "")
		for target, id := range map[string]string{"shop/staging": "r1", "shop/production/eu": "r2", "shopper/staging": "r3"} {
			if err == nil {
				err = tx.SetHome(target, id)
			}
		}
		if err != nil {
			return err
		}
		return tx.SetHome("shop/staging", "r4")
	})
	s.view(t, func(tx release.Tx) error {
		home, err := tx.Home("shop/staging")
		if err != nil {
			return err
		}
		equal(t, "home", home, "r4")
		homes, err := tx.Homes("shop")
		equal(t, "homes", homes, map[string]string{"staging": "r4", "production": "r2", "production/eu": "r2"})
		return err
	})
}

func drifts(t *testing.T, s Store) {
	last := func(tx release.Tx) (drive.Drift, error) { return tx.Drift("shop/staging") }
	equal(t, "what was seen before the first look", get(t, s, last), drive.Drift{Lane: "shop/staging"})
	none := drive.Drift{Lane: "shop/staging", Release: "r1", Seen: drive.Seen{Since: at(1)}, At: at(1)}
	some := none
	some.Seen, some.At = drive.Seen{Hash: "abc", Count: 2, Fields: []string{"a", "b"}, Since: at(2)}, at(3)
	git := some
	git.Git = &drive.GitDrift{Seen: drive.Seen{Hash: "def", Count: 2, Fields: []string{"b", "c"}, Since: at(3)}, More: 1, Unknown: "it is away"}
	for _, d := range []drive.Drift{none, some, git, some} {
		s.update(t, func(tx release.Tx) error {
			if err := tx.SaveDrift(drive.Drift{Lane: "shop/production", Release: "r2", At: at(9)}); err != nil {
				return err
			}
			return tx.SaveDrift(d)
		})
		s = s.Reopen(t)
		equal(t, "what was seen last", get(t, s, last), d)
	}
}

func signs(t *testing.T, s Store) {
	last := func(tx release.Tx) (time.Time, error) { return tx.LastAlive() }
	equal(t, "the sign of life before the first", get(t, s, last), time.Time{})
	for _, when := range []time.Time{at(5), at(9), at(7)} {
		s.update(t, func(tx release.Tx) error { return tx.NoteAlive(when) })
	}
	s = s.Reopen(t)
	equal(t, "the last sign of life", get(t, s, last), at(7))
}
