package release_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
)

// counting is a store that counts how many runs are read in views.
type counting struct {
	release.Store
	read *int
}

type countingTx struct {
	release.Tx
	read *int
}

func (c counting) View(ctx context.Context, f func(release.Tx) error) error {
	return c.Store.View(ctx, func(tx release.Tx) error { return f(countingTx{tx, c.read}) })
}

func (c countingTx) LoadRun(id string) (drive.Record, error) {
	*c.read++
	return c.Tx.LoadRun(id)
}

const approved = `service: %s
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, {deploy: {}, timeLimit: 10m}]
`

// TestWhoWaitsLongestForAPerson tells also that a look reads what has changed, and no more.
func TestWhoWaitsLongestForAPerson(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now, read := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), 0
	clock := func() time.Time { return now }
	d := drive.New(drive.Config{Store: st.Drive(), Now: clock})
	control := release.New(release.Config{Store: counting{st.Release(), &read}, Drive: d, Now: clock})
	if _, _, looked := control.PersonWait(); looked {
		t.Error("it knows before the first look")
	}
	want := func(id string, wait time.Duration, reads int) {
		t.Helper()
		before := read
		if err := control.LookForPersons(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, who, looked := control.PersonWait()
		if got != wait || who != id || !looked || read-before != reads {
			t.Errorf("%q has waited %s, and %d runs were read; want %q, %s and %d", who, got, read-before, id, wait, reads)
		}
	}
	want("", 0, 0)
	for _, id := range []string{"till", "shop", "cart"} {
		add(t, st, d, id, now)
		now = now.Add(time.Minute)
	}
	want("till", 3*time.Minute, 3+1)
	now = now.Add(time.Minute)
	want("till", 4*time.Minute, 1)

	approval := pipeline.Event{Kind: pipeline.EventApproved, Actor: "ben", Roles: []string{"sre"}}
	if err := d.Apply(t.Context(), "till", approval); err != nil {
		t.Fatal(err)
	}
	want("shop", 3*time.Minute, 1+1)

	// A question is told by a line, and withdrawn without one.
	tasks, err := d.Lease(t.Context(), drive.LeaseAsk{Worker: "w1", Max: 1, Entries: true})
	if err != nil || len(tasks) != 1 {
		t.Fatal(tasks, err)
	}
	report := drive.Report{Task: tasks[0].ID, Release: "till", Environment: "production", Worker: "w1", Fence: tasks[0].Fence}
	for _, id := range []string{"shop", "cart"} {
		if err := d.Apply(t.Context(), id, approval); err != nil {
			t.Fatal(err)
		}
	}
	for _, asks := range []string{"Go on?", ""} {
		report.Number, report.Outcome = report.Number+1, stage.Outcome{Status: stage.Continue, Asks: asks}
		if _, err := d.Report(t.Context(), report); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if asks != "" {
			want("till", time.Minute, 3+1)
		} else {
			want("", 0, 1)
		}
	}
}

const askedAbout = `service: %s
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    regions: [eu, us]
    waves: [eu, us]
    takeBack: ask
    stages: [{deploy: {}, timeLimit: 10m}]
`

// A question about earlier waves is asked for a region that is no longer under way.
func TestAQuestionAboutEarlierWavesWaitsForAPerson(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	d := drive.New(drive.Config{Store: st.Drive(), Now: clock})
	control := release.New(release.Config{Store: st.Release(), Drive: d, Now: clock})
	want := func(id string, wait time.Duration) {
		t.Helper()
		if err := control.LookForPersons(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, who, _ := control.PersonWait(); got != wait || who != id {
			t.Errorf("%q has waited %s, want %q and %s", who, got, id, wait)
		}
	}
	end := func(status stage.Status) {
		t.Helper()
		tasks, err := d.Lease(t.Context(), drive.LeaseAsk{Worker: "w1", Max: 1, Entries: true})
		if err != nil || len(tasks) != 1 {
			t.Fatal(tasks, err)
		}
		task := tasks[0]
		_, err = d.Report(t.Context(), drive.Report{
			Task: task.ID, Release: task.Release, Entry: task.Entry, Environment: task.Environment, Region: task.Region,
			Worker: "w1", Fence: task.Fence, Number: 1, Outcome: stage.Outcome{Status: status, Exposed: true, Reason: "it does not start"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	addAs(t, st, d, "shop", askedAbout, now)
	end(stage.Passed) // in eu
	want("", 0)
	end(stage.Failed) // in us, where it has to be undone
	now = now.Add(time.Minute)
	want("shop", time.Minute)
	end(stage.Passed) // the undoing
	now = now.Add(time.Hour)
	want("shop", time.Hour+time.Minute)
	keep := pipeline.Event{Kind: pipeline.EventApproved, Actor: "ben", Roles: []string{"sre"}}
	if err := d.Apply(t.Context(), "shop", keep); err != nil {
		t.Fatal(err)
	}
	want("", 0)
}

// add stores a release of a service of the same name, which has to be approved, and begins it.
func add(t *testing.T, st *store.SQLite, d *drive.Drive, id string, now time.Time) {
	t.Helper()
	addAs(t, st, d, id, approved, now)
}

func addAs(t *testing.T, st *store.SQLite, d *drive.Drive, id, definition string, now time.Time) {
	t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", fmt.Appendf(nil, definition, id))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	plan, err := pipeline.Compile(def, pipeline.Request{Version: "v1", Artifact: "./shop", Digest: "sha256:" + strings.Repeat("1", 64)})
	if err != nil {
		t.Fatal(err)
	}
	r := release.Release{ID: id, Service: id, Version: "v1", Digest: plan.Component.Digest, Author: "anna", PlanHash: plan.Hash(), CreatedAt: now, Definition: "x"}
	err = st.Release().Update(t.Context(), func(tx release.Tx) error {
		if err := tx.AddRelease(r, plan, pipeline.NewRun(plan, "anna", now)); err != nil {
			return err
		}
		_, err := d.Start(tx, id, "anna")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
