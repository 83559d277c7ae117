package drive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// mortal is a server from which a worker can be cut off for good: to everybody else it has died.
type mortal struct {
	worker.Server
	dead context.Context
}

func (m mortal) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	ctx, stop := m.alive(ctx)
	defer stop()
	tasks, err := m.Server.Lease(ctx, ask)
	if err == nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return tasks, err
}

func (m mortal) Report(ctx context.Context, rep stage.Report) (stage.Reply, error) {
	if m.dead.Err() != nil {
		return stage.Reply{}, fault.Errorf(fault.Unavailable, "it has died")
	}
	return m.Server.Report(ctx, rep)
}

func (m mortal) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	if m.dead.Err() != nil {
		return nil, fault.Errorf(fault.Unavailable, "it has died")
	}
	return m.Server.Signs(ctx, signs)
}

// alive ends with ctx, or with the worker.
func (m mortal) alive(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(m.dead, cancel)
	return ctx, func() { unhook(); cancel() }
}

// watchers are workers that carry canaries for ever, and note who looked at which last.
type watchers struct {
	t    *testing.T
	d    *drive.Drive
	mu   sync.Mutex
	seen map[string]map[string]time.Time // by worker, then release
	came map[string]time.Time            // when each release was looked at first
}

func (w *watchers) Tick(_ context.Context, task stage.Task) (stage.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[task.Held] == nil {
		w.seen[task.Held] = map[string]time.Time{}
	}
	w.seen[task.Held][task.Release] = time.Now()
	if w.came[task.Release].IsZero() {
		w.came[task.Release] = time.Now()
	}
	if task.Undo {
		return stage.Outcome{Status: stage.Passed}, nil
	}
	return stage.Outcome{Status: stage.Continue, Exposed: true, State: json.RawMessage(`{"level":1}`), After: 50 * time.Millisecond}, nil
}

// looksAt is how many releases the worker has looked at since then.
func (w *watchers) looksAt(name string, since time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.seen[name] {
		if at.After(since) {
			n++
		}
	}
	return n
}

func (w *watchers) first(release string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.came[release]
}

// run starts a worker with so many places. It dies when told to, and ends with the test.
func (w *watchers) run(name string, places int) (die func()) {
	dead, die := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	hands := worker.New(worker.Config{
		Name: name, Server: mortal{w.d, dead}, Parallel: places, Log: slog.New(slog.DiscardHandler),
		Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: w, pipeline.KindDeploy: w},
	})
	go func() { ended <- hands.Run(ctx) }()
	w.t.Cleanup(func() {
		die()
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	return die
}

// watchersOf is a rig whose clock is the machine's, with leases of a second and workers on it.
func watchersOf(t *testing.T, r *rig) *watchers {
	r.now = time.Now()
	r.Drive = drive.New(drive.Config{
		Store: r.store.Drive(), Deliver: r.deliver, LeaseFor: shortLease, Log: slog.New(slog.DiscardHandler),
		Now: time.Now,
	})
	return &watchers{t: t, d: r.Drive, seen: map[string]map[string]time.Time{}, came: map[string]time.Time{}}
}

// shortLease is longer than a busy machine needs for a sign of life.
const shortLease = 4 * time.Second

// Users of a canary cannot wait until another stage has ended.
func TestAllThatADeadWorkerHadIsCarriedOnByOneWithFewerPlaces(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		w := watchersOf(t, r)
		const each = 6
		for i := range each {
			r.ship(service(fmt.Sprint("a", i), "canary, promote"))
		}
		die := w.run("A", each)
		waitFor(t, func() bool { return w.looksAt("A", time.Time{}) == each })
		for i := range each {
			r.ship(service(fmt.Sprint("b", i), "canary, promote"))
		}
		w.run("B", each+2)
		waitFor(t, func() bool { return w.looksAt("B", time.Time{}) >= each }) // on a busy machine also what A was late with
		died := time.Now()
		die()
		waitFor(t, func() bool { return w.looksAt("B", died.Add(shortLease/2)) == 2*each })
		// A lease, the look for those that ran out, and what a busy machine takes.
		if took := time.Since(died); took > shortLease+4*time.Second {
			t.Errorf("all were looked at again after %s, with leases of %s", took, shortLease)
		}
	})
}

// A rollback does not queue behind what is waiting to be deployed.
func TestARollbackIsCarriedOutWhereAllPlacesAreTaken(t *testing.T) {
	r := newRig(t)
	w := watchersOf(t, r)
	r.ship(service("shop", "canary, promote"))
	canary := r.ship(service("cart", "canary, promote"))
	w.run("A", 2)
	waitFor(t, func() bool { return w.looksAt("A", time.Time{}) == 2 })
	waiting := r.ship(service("older", "deploy"))
	r.apply(canary, pipeline.Event{Kind: pipeline.EventRollback, Actor: "anna", Reason: "no"})
	waitFor(t, func() bool { return r.run(canary).State == pipeline.RunRolledBack })
	waitFor(t, func() bool { return w.looksAt("A", time.Time{}) == 3 }) // then its place is free
	if undone, begun := r.at(canary, "stage.undone"), w.first(waiting); !undone.Before(begun) {
		t.Errorf("the rollback ended at %s, and what waited began at %s", undone, begun)
	}
}

// at is when a line of the kind was written.
func (r *rig) at(release, kind string) time.Time {
	r.t.Helper()
	for _, l := range r.lines(release) {
		if l.Kind == kind {
			return l.At
		}
	}
	r.t.Fatalf("%s has no line %s", release, kind)
	return time.Time{}
}
