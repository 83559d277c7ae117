package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

func load(id string) func(tx release.Tx) (drive.Record, error) {
	return func(tx release.Tx) (drive.Record, error) { return tx.LoadRun(id) }
}

func runRoundTrip(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	fresh := get(t, s, load("r1"))
	plan := Plan("shop")
	equal(t, "a new run", fresh, drive.Record{Release: "r1", Run: pipeline.NewRun(plan, "ann", day)})

	r := fresh
	r.Seq, r.Hash, r.Wake = 7, strings.Repeat("c", 64), at(60)
	r.Run.State = pipeline.RunRunning
	r.Run.Paused = &pipeline.Pause{By: "bob", Reason: "lunch", At: at(1)}
	r.Run.Environments[0].State = pipeline.EnvironmentRunning
	r.Run.Environments[0].Stages[1].Memory = []byte(`{"a":1}`)
	r.Run.Environments[0].Stages[1].Approvals = []pipeline.ApprovalGiven{{By: "eve", Roles: []string{"sre"}, At: at(2)}}
	s.update(t, func(tx release.Tx) error { return tx.SaveRun(r, r.Wake) })
	equal(t, "a saved run", get(t, s, load("r1")), r)

	s.update(t, func(tx release.Tx) error { return tx.SaveRun(r, time.Time{}) })
	if wake := get(t, s, load("r1")).Wake; !wake.IsZero() {
		t.Errorf("a run without a wake-up is woken at %v", wake)
	}
}

func missingRun(t *testing.T, s Store) {
	s.update(t, func(tx release.Tx) error {
		_, err := tx.LoadRun("r1")
		wantCode(t, "LoadRun", err, fault.NotFound)
		return nil
	})
	err := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.SaveRun(drive.Record{Release: "r1"}, day) })
	wantCode(t, "SaveRun", err, fault.NotFound)
}

func runHasPlanAndEvidence(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	s.addRelease(t, "r2", "shop")
	fact := pipeline.Evidence{ID: "e1", Digest: Plan("shop").Component.Digest, Kind: "tests", Status: "passed", At: day}
	s.update(t, func(tx release.Tx) error { return tx.AddEvidence(fact) })
	for _, id := range []string{"r1", "r2"} {
		r := get(t, s, load(id))
		equal(t, "plan of "+id, r.Run.Plan, Plan("shop"))
		equal(t, "evidence of "+id, r.Run.Evidence, []pipeline.Evidence{fact})
	}
}

func dueRuns(t *testing.T, s Store) {
	for i, id := range []string{"r1", "r2", "r3", "r4"} {
		s.addRelease(t, id, "shop")
		s.update(t, func(tx release.Tx) error {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			wakes := []time.Time{at(30), at(10), {}, at(20)}
			return tx.SaveRun(r, wakes[i])
		})
	}
	for _, c := range []struct {
		now   time.Time
		limit int
		due   string
		next  time.Time
	}{
		{at(0), 10, "", at(10)},
		{at(10), 10, "r2", at(20)},
		{at(10).Add(-1), 10, "", at(10)},
		{at(40), 10, "r2 r4 r1", time.Time{}},
		{at(40), 2, "r2 r4", time.Time{}},
	} {
		s.view(t, func(tx release.Tx) error {
			due, err := tx.DueRuns(c.now, c.limit)
			if err != nil {
				return err
			}
			equal(t, "due runs", joined(due), c.due)
			next, err := tx.NextWake(c.now)
			equal(t, "next wake-up", next, c.next)
			return err
		})
	}
}

func waitingOn(t *testing.T, s Store) {
	states := map[string]pipeline.RunState{"r1": pipeline.RunRunning, "r2": pipeline.RunSucceeded,
		"r3": pipeline.RunPending, "r4": pipeline.RunFailed, "r5": pipeline.RunRollingBack}
	for id, state := range states {
		s.addRelease(t, id, "shop")
		s.update(t, func(tx release.Tx) error {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			r.Run.State = state
			return tx.SaveRun(r, time.Time{})
		})
	}
	s.view(t, func(tx release.Tx) error {
		waiting, err := tx.WaitingOn(Plan("shop").Component.Digest)
		if err != nil {
			return err
		}
		equal(t, "waiting", joined(waiting), "r1 r3 r5")
		none, err := tx.WaitingOn("sha256:other")
		equal(t, "waiting on another digest", joined(none), "")
		return err
	})
}

func unfinished(t *testing.T, s Store) {
	want := func(ids string) {
		t.Helper()
		s.view(t, func(tx release.Tx) error {
			all, err := tx.Unfinished()
			equal(t, "unfinished", joined(all), ids)
			if err != nil {
				return err
			}
			own, err := tx.UnfinishedOf("shop")
			equal(t, "unfinished of the service", joined(own), ids)
			if err != nil {
				return err
			}
			none, err := tx.UnfinishedOf("till")
			equal(t, "unfinished of another service", joined(none), "")
			return err
		})
	}
	want("")
	for _, id := range []string{"r3", "r1", "r2"} {
		s.addRelease(t, id, "shop")
	}
	want("r1 r2 r3")
	end := func(id string, ended time.Time) {
		s.update(t, func(tx release.Tx) error {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			r.Run.EndedAt = ended
			return tx.SaveRun(r, time.Time{})
		})
	}
	end("r2", at(10))
	want("r1 r3")
	end("r2", time.Time{}) // it is taken back late
	want("r1 r2 r3")
}
