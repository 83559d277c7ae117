package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

func taskRoundTrip(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	task := drive.TaskRow{ID: "t1", Release: "r1", Service: "shop", Entry: "staging", Environment: "staging", Region: "eu", Stage: "canary", Undo: true,
		State: []byte(` {"level": 1}`), Progress: []byte(`{"now":"<b>"}`), Hold: "frozen", Decision: "promote", Deadline: at(90),
		NotBefore: at(5), Holder: "worker one", Fence: 3, LeaseUntil: at(30), Reported: 8, Job: true, Exposed: true}
	bare := drive.TaskRow{ID: "t2", Release: "r1", Entry: "production/eu", Environment: "production"}
	s.update(t, func(tx release.Tx) error {
		if err := tx.PutTask(task); err != nil {
			return err
		}
		return tx.PutTask(bare)
	})
	loaded := func(environment string) drive.TaskRow {
		return get(t, s, func(tx release.Tx) (drive.TaskRow, error) { return tx.LoadTask("r1", environment) })
	}
	equal(t, "task", loaded("staging"), task)
	equal(t, "bare task", loaded("production/eu"), bare)

	next := drive.TaskRow{ID: "t3", Release: "r1", Entry: "staging", Environment: "staging", Stage: "watch"}
	s.update(t, func(tx release.Tx) error { return tx.PutTask(next) })
	equal(t, "replaced task", loaded("staging"), next)

	s.update(t, func(tx release.Tx) error {
		if err := tx.DeleteTask("r1", "staging"); err != nil {
			return err
		}
		_, err := tx.LoadTask("r1", "staging")
		wantCode(t, "LoadTask of a deleted one", err, fault.NotFound)
		return tx.DeleteTask("r1", "staging")
	})
	wantCode(t, "PutTask of no release", s.Release.Update(t.Context(), func(tx release.Tx) error {
		return tx.PutTask(drive.TaskRow{ID: "t4", Release: "none", Environment: "staging"})
	}), fault.NotFound)
}

func leasableTasks(t *testing.T, s Store) {
	for i, task := range []drive.TaskRow{
		{ID: "late", Environment: "staging", NotBefore: at(10)},
		{ID: "leased", Environment: "staging", LeaseUntil: at(30), Holder: "one"},
		{ID: "early", Environment: "staging", NotBefore: at(-10)},
		{ID: "elsewhere", Environment: "production", Region: "north", NotBefore: at(-20)},
		{ID: "run out", Environment: "production", NotBefore: at(-15), LeaseUntil: at(-1), Holder: "two"},
	} {
		task.Release = fmt.Sprintf("r%d", i)
		s.addRelease(t, task.Release, "shop")
		s.update(t, func(tx release.Tx) error { return tx.PutTask(task) })
	}
	for _, c := range []struct {
		now          time.Time
		environments []string
		regions      []string
		limit        int
		want         string
	}{
		{at(0), nil, nil, 10, "elsewhere, run out, early"},
		{at(0), []string{"staging"}, nil, 10, "early"},
		{at(0), []string{"production", "staging"}, nil, 10, "elsewhere, run out, early"},
		{at(0), []string{"none"}, nil, 10, ""},
		{at(0), nil, []string{"north", "west"}, 10, "elsewhere"},
		{at(0), []string{"production"}, []string{"west"}, 10, ""},
		{at(0), nil, nil, 1, "elsewhere"},
		{at(10), []string{"staging"}, nil, 10, "early, late"},
		{at(30), []string{"staging"}, nil, 10, "leased, early, late"},
	} {
		found := get(t, s, func(tx release.Tx) ([]drive.TaskRow, error) {
			return tx.LeasableTasks(c.now, drive.Wanted{Environments: c.environments, Regions: c.regions, Limit: c.limit})
		})
		equal(t, fmt.Sprintf("leasable at %v in %v %v", c.now, c.environments, c.regions), names(found), c.want)
	}
}

// urgentTasks are found before the rest, and by themselves; jobs can be left out.
func urgentTasks(t *testing.T, s Store) {
	all := map[string]drive.TaskRow{}
	for i, task := range []drive.TaskRow{
		{ID: "new", NotBefore: at(-90)},
		{ID: "new job", NotBefore: at(-80), Job: true},
		{ID: "begun job", NotBefore: at(-70), Job: true, Fence: 2, Exposed: true},
		{ID: "newer", NotBefore: at(-60)},
		{ID: "begun", NotBefore: at(-30), Fence: 1, LeaseUntil: at(-1), Holder: "one"},
		{ID: "given back", NotBefore: at(-25), Fence: 1, LeaseUntil: at(-1)},
		{ID: "exposed", NotBefore: at(-20), Exposed: true},
		{ID: "undoing", NotBefore: at(-10), Undo: true},
		{ID: "undoing job", NotBefore: at(-5), Undo: true, Job: true},
		{ID: "leased", NotBefore: at(-99), Undo: true, Fence: 3, LeaseUntil: at(9), Holder: "two"},
		{ID: "later", NotBefore: at(1), Undo: true},
	} {
		task.Release, task.Service, task.Environment, task.Entry = fmt.Sprintf("r%d", i), "shop", "production", "production"
		all[task.ID] = task
		s.addRelease(t, task.Release, "shop")
		s.update(t, func(tx release.Tx) error { return tx.PutTask(task) })
	}
	for _, c := range []struct {
		wanted drive.Wanted
		want   string
	}{
		{drive.Wanted{}, "undoing, undoing job, begun, given back, exposed, new, new job, begun job, newer"},
		{drive.Wanted{Limit: 6}, "undoing, undoing job, begun, given back, exposed, new"},
		{drive.Wanted{NoJobs: true}, "undoing, undoing job, begun, given back, exposed, new, newer"},
		{drive.Wanted{OnlyUrgent: true}, "undoing, undoing job, begun, given back, exposed"},
		{drive.Wanted{OnlyUrgent: true, NoJobs: true, Limit: 3}, "undoing, undoing job, begun"},
		{drive.Wanted{OnlyUrgent: true, Environments: []string{"staging"}}, ""},
		{drive.Wanted{OnlyUrgent: true, Lapsed: time.Second}, "undoing, undoing job, begun, given back, exposed"},
		{drive.Wanted{OnlyUrgent: true, Lapsed: 2 * time.Second}, "undoing, undoing job, given back, exposed"},
	} {
		look := func(tx release.Tx) ([]drive.TaskRow, error) { return tx.LeasableTasks(at(0), c.wanted) }
		equal(t, fmt.Sprintf("leasable of %+v", c.wanted), names(get(t, s, look)), c.want)
		s.update(t, func(tx release.Tx) error { // where turns are taken as well
			found, err := look(tx)
			equal(t, fmt.Sprintf("in an update leasable of %+v", c.wanted), names(found), c.want)
			return err
		})
	}
	for _, found := range get(t, s, func(tx release.Tx) ([]drive.TaskRow, error) {
		return tx.LeasableTasks(at(0), drive.Wanted{OnlyUrgent: true})
	}) {
		if !found.Urgent() {
			t.Errorf("%s is found as urgent and says that it is not", found.ID)
		}
		equal(t, found.ID, found, all[found.ID])
	}
}

func renewedTasks(t *testing.T, s Store) {
	full := drive.TaskRow{ID: "mine", Service: "shop", Entry: "production/eu", Environment: "production", Region: "eu", Stage: "canary",
		State: []byte(`1`), Progress: []byte(`2`), Hold: "frozen", Decision: "promote", Deadline: at(90), Holder: "one", Fence: 7, LeaseUntil: at(30), Reported: 3}
	for i, task := range []drive.TaskRow{full, {ID: "too", Holder: "one", LeaseUntil: at(20)}, {ID: "two's", Holder: "two", LeaseUntil: at(30)}, {ID: "free"}} {
		task.Release = fmt.Sprintf("r%d", i)
		s.addRelease(t, task.Release, "shop")
		s.update(t, func(tx release.Tx) error { return tx.PutTask(task) })
	}
	known := func(ids ...string) []drive.TaskRow {
		rows := get(t, s, func(tx release.Tx) ([]drive.TaskRow, error) { return tx.TasksByID(ids) })
		slices.SortFunc(rows, func(a, b drive.TaskRow) int { return strings.Compare(a.ID, b.ID) })
		return rows
	}
	s.update(t, func(tx release.Tx) error { return tx.Renew([]string{"mine", "two's", "free", "none"}, "one", at(60)) })
	want := []time.Time{{}, at(60), at(20), at(30)}
	for i, row := range known("too", "mine", "two's", "free", "none") {
		if !row.LeaseUntil.Equal(want[i]) {
			t.Errorf("the lease of %q ends at %v, want %v", row.ID, row.LeaseUntil, want[i])
		}
	}
	full.Release, full.LeaseUntil = "r0", at(60)
	equal(t, "a renewed task", get(t, s, func(tx release.Tx) (drive.TaskRow, error) { return tx.LoadTask("r0", full.Entry) }), full)
	full.State, full.Progress, full.Stage, full.Reported = nil, nil, "", 0
	equal(t, "a task by its ID", known("mine"), []drive.TaskRow{full})
	equal(t, "no tasks", len(known()), 0)
}

func heldTasks(t *testing.T, s Store) {
	for i, holder := range []string{"one", "two", "one", ""} {
		id := fmt.Sprintf("r%d", i)
		s.addRelease(t, id, "shop")
		s.update(t, func(tx release.Tx) error {
			return tx.PutTask(drive.TaskRow{ID: "t" + id, Release: id, Entry: "staging", Environment: "staging", Holder: holder, LeaseUntil: at(1)})
		})
	}
	for holder, want := range map[string]string{"one": "tr0, tr2", "two": "tr1", "three": ""} {
		equal(t, "held by "+holder, names(get(t, s, func(tx release.Tx) ([]drive.TaskRow, error) { return tx.HeldTasks(holder) })), want)
	}
}

func names(tasks []drive.TaskRow) (ids string) {
	for i, t := range tasks {
		if i > 0 {
			ids += ", "
		}
		ids += t.ID
	}
	return ids
}

// fencesGrow takes fences of some targets, with restarts and failed transactions between them.
func fencesGrow(t *testing.T, s Store) {
	last := make(map[string]int64)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			target := rapid.SampledFrom([]string{"shop/staging", "shop/production", "search/staging"}).Draw(rt, "target")
			var fence int64
			if seen := rapid.Int64Range(1, last[target]+5).Draw(rt, "seen"); rapid.IntRange(0, 3).Draw(rt, "raise") == 0 {
				s.update(t, func(tx release.Tx) error { return tx.RaiseFence(target, seen) })
				last[target] = max(last[target], seen)
			}
			fails := rapid.Bool().Draw(rt, "fails")
			err := s.Drive.Update(t.Context(), func(tx drive.Tx) (err error) {
				if fence, err = tx.NextFence(target); err == nil && fails {
					return fault.Errorf(fault.Conflict, "no")
				}
				return err
			})
			switch {
			case fails:
				wantCode(t, "a failed update", err, fault.Conflict)
			case err != nil:
				rt.Fatal(err)
			case fence <= last[target]:
				rt.Fatalf("%s got fence %d after %d", target, fence, last[target])
			default:
				last[target] = fence
			}
		}
		if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
			s = s.Reopen(t)
		}
	})
	if len(last) == 0 {
		t.Error("no fence was ever given out")
	}
}

func chores(t *testing.T, s Store) {
	claim := func(work string, now, until int) (mine bool) {
		s.update(t, func(tx release.Tx) (err error) {
			mine, err = tx.Claim(work, at(now), at(until))
			return err
		})
		return mine
	}
	for i, c := range []struct {
		work       string
		now, until int
		want       bool
	}{
		{"sweep", 0, 10, true},
		{"sweep", 1, 20, false},
		{"count", 1, 20, true},
		{"sweep", 9, 20, false},
		{"sweep", 10, 20, true},
		{"sweep", 11, 30, false},
	} {
		if got := claim(c.work, c.now, c.until); got != c.want {
			t.Errorf("claim %d of %s at %d: %v, want %v", i, c.work, c.now, got, c.want)
		}
	}
}

func choresDone(t *testing.T, s Store) {
	is := func(want drive.Chore) {
		t.Helper()
		equal(t, "the chore", get(t, s, func(tx release.Tx) (drive.Chore, error) { return tx.Chore("sweep") }), want)
	}
	is(drive.Chore{})
	s.update(t, func(tx release.Tx) error {
		_, err := tx.Claim("sweep", at(0), at(10))
		return err
	})
	is(drive.Chore{Until: at(10)})
	s.update(t, func(tx release.Tx) error { return tx.ChoreDone("sweep", at(3), at(60), 2) })
	is(drive.Chore{Until: at(60), Done: at(3), Found: 2})
	// What is known stays while the next one looks.
	s.update(t, func(tx release.Tx) error {
		if mine, err := tx.Claim("sweep", at(60), at(70)); err != nil || !mine {
			t.Errorf("a chore that is due: %v, %v", mine, err)
		}
		return nil
	})
	is(drive.Chore{Until: at(70), Done: at(3), Found: 2})
}

func choresMoved(t *testing.T, s Store) {
	s.update(t, func(tx release.Tx) error {
		for work, done := range map[string]int{"sweep": 103, "count": 2} {
			if _, err := tx.Claim(work, at(0), at(1)); err != nil {
				return err
			}
			if err := tx.ChoreDone(work, at(done), at(done+5), 7); err != nil {
				return err
			}
		}
		_, err := tx.Claim("never done", at(100), at(110))
		return err
	})
	s.update(t, func(tx release.Tx) error { return tx.MoveChores(at(9), at(100).Sub(at(0))) })
	for work, want := range map[string]drive.Chore{
		"sweep":      {Until: at(8), Done: at(3), Found: 7},
		"count":      {Until: at(7), Done: at(2), Found: 7},
		"never done": {Until: at(10)},
	} {
		equal(t, work, get(t, s, func(tx release.Tx) (drive.Chore, error) { return tx.Chore(work) }), want)
	}
}
