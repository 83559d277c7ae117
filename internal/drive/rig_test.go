package drive_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
)

// rig is a Drive on a real store, with a clock that the test moves.
type rig struct {
	*drive.Drive
	t     *testing.T
	store aStore
	n     int
	// of tells the releases of one rig from those of another on the same store.
	of string
	// retreat makes the next releases bring older ones back.
	retreat bool

	mu        sync.Mutex
	now       time.Time
	delivered []drive.Message
	refuse    error
}

// aStore is SQLite, or PostgreSQL.
type aStore interface {
	Drive() drive.Store
	Release() release.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return rigOn(t, st)
}

func rigOn(t *testing.T, st aStore) *rig {
	r := &rig{t: t, store: st, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	r.Drive = drive.New(drive.Config{Store: st.Drive(), Now: r.clock, Deliver: r.deliver, LeaseFor: 30 * time.Second})
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) deliver(_ context.Context, m drive.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.delivered = append(r.delivered, m)
	return nil
}

const oneStage = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{deploy: {}, timeLimit: 10m}]
`

// ship stores a release of the definition, with those of the other services, and starts it.
func (r *rig) ship(definition string, others ...string) string {
	r.t.Helper()
	r.n++
	ask := pipeline.Request{Version: fmt.Sprint("v", r.n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064d", r.n)}
	for i, other := range others {
		ask.With = append(ask.With, pipeline.ComponentRequest{
			Definition: r.parse(other), Version: fmt.Sprint("v", r.n), Artifact: "./other", Digest: fmt.Sprintf("sha256:%032d%032d", r.n, i+1),
		})
	}
	plan, err := pipeline.Compile(r.parse(definition), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	plan.Retreat = r.retreat
	rel := release.Release{
		ID: fmt.Sprintf("rel%d%s", r.n, r.of), Service: plan.Service, Version: plan.Component.Version, Digest: plan.Component.Digest,
		Author: "anna", PlanHash: plan.Hash(), CreatedAt: r.clock(), Definition: definition,
	}
	var committed func()
	err = r.store.Release().Update(context.Background(), func(tx release.Tx) (err error) {
		if err := tx.AddRelease(rel, plan, pipeline.NewRun(plan, "anna", r.clock())); err != nil {
			return err
		}
		committed, err = r.Start(tx, rel.ID, "anna")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	committed()
	return rel.ID
}

func (r *rig) parse(definition string) *pipeline.Definition {
	r.t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", []byte(definition))
	if len(faults) > 0 {
		r.t.Fatal(faults)
	}
	return def
}

func (r *rig) lease(worker string) []stage.Task {
	r.t.Helper()
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Entries: true, Worker: worker, Max: 10})
	if err != nil {
		r.t.Fatal(err)
	}
	return tasks
}

func (r *rig) one(worker string) stage.Task {
	r.t.Helper()
	tasks := r.lease(worker)
	if len(tasks) != 1 {
		r.t.Fatalf("%s leased %d tasks, want 1", worker, len(tasks))
	}
	return tasks[0]
}

func (r *rig) say(t stage.Task, out stage.Outcome) drive.Reply {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Entry: t.Entry, Worker: t.Held, Fence: t.Fence, Outcome: out,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func (r *rig) apply(release string, ev pipeline.Event) {
	r.t.Helper()
	if err := r.Apply(context.Background(), release, ev); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run(release string) pipeline.Run {
	r.t.Helper()
	var rec drive.Record
	err := r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
		rec, err = tx.LoadRun(release)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Run
}

func (r *rig) want(release string, state pipeline.RunState) {
	r.t.Helper()
	if got := r.run(release).State; got != state {
		r.t.Fatalf("release %s is %s, want %s", release, got, state)
	}
}

// lines returns the release's chain, verified.
func (r *rig) lines(id string) []ledger.Event {
	r.t.Helper()
	var lines []ledger.Event
	err := r.store.Release().View(context.Background(), func(tx release.Tx) (err error) {
		lines, err = tx.LoadEvents(id, 0, 10000)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := ledger.Verify(lines); err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func (r *rig) told(id, kind string) bool {
	for _, l := range r.lines(id) {
		if l.Kind == kind {
			return true
		}
	}
	return false
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
