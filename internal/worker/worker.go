// Package worker carries tasks out near their targets: it leases them from the
// server, ticks their executors, and reports after every tick.
//
// A worker connects outwards only and keeps nothing on disk; what it must
// remember travels with each report. While it cannot reach the server it goes
// on, but only towards safety: every tick is then told to hold, so a canary may
// retreat or be taken back and never advances. It stops when it learns that a
// newer lease holds its target.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Server is where tasks come from and outcomes go.
type Server interface {
	Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error)
	Report(ctx context.Context, r stage.Report) (stage.Reply, error)
}

// Config is what a worker needs.
type Config struct {
	Name string
	// Environments and Regions restrict the tasks; empty means all that the server gives.
	Environments []string
	Regions      []string
	Server       Server
	Executors    map[pipeline.Kind]stage.Executor
	// Desk is where inquiries come from, and Respond finds their answers; nil answers none.
	Desk    Desk
	Respond func(ctx context.Context, q inquiry.Inquiry) inquiry.Answer
	// Parallel is how many tasks run at the same time; default 16.
	Parallel int
	Log      *slog.Logger
}

// Worker carries out tasks until its context ends.
type Worker struct {
	c     Config
	tasks sync.WaitGroup
	slots chan struct{}
}

// New returns a worker that does nothing until Run is called.
func New(c Config) *Worker {
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Worker{c: c, slots: make(chan struct{}, c.Parallel)}
}

// How long the worker waits: for tasks, between tries, and between signs of life
// of a task about which there is nothing else to report.
const (
	leaseWait  = 20 * time.Second
	retryFirst = 200 * time.Millisecond
	retryMost  = 5 * time.Second
	sign       = time.Second
)

// Run leases and carries out tasks until ctx ends, and returns when all have stopped.
func (w *Worker) Run(ctx context.Context) error {
	defer w.tasks.Wait()
	w.listen(ctx)
	resume, wait := true, retryFirst
	for ctx.Err() == nil {
		free := w.take(ctx)
		if free == 0 {
			return nil
		}
		tasks, err := w.c.Server.Lease(ctx, stage.LeaseAsk{
			Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Max: free, Wait: leaseWait, Resume: resume,
		})
		w.give(free - len(tasks))
		if err != nil {
			if ctx.Err() == nil {
				w.c.Log.Warn("Leasing tasks failed.", "worker", w.c.Name, "error", err)
			}
			pause(ctx, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		resume, wait = false, retryFirst
		for _, t := range tasks {
			w.tasks.Add(1)
			go func() {
				defer w.tasks.Done()
				defer w.give(1)
				w.carryOut(ctx, t)
			}()
		}
	}
	return nil
}

// take waits for at least one free slot and takes all that are free.
func (w *Worker) take(ctx context.Context) int {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; ; n++ {
		select {
		case w.slots <- struct{}{}:
		default:
			return n
		}
	}
}

func (w *Worker) give(n int) {
	for range n {
		<-w.slots
	}
}

// carryOut ticks one task until it ends, is cancelled, or ctx ends.
func (w *Worker) carryOut(ctx context.Context, t stage.Task) {
	log := w.c.Log.With("release", t.Release, "service", t.Service, "environment", t.Environment, "stage", t.Stage.Name, "task", t.ID, "worker", w.c.Name)
	executor, ok := w.c.Executors[t.Stage.Kind]
	if !ok {
		log.Error("The worker cannot carry out this kind of stage.", "kind", t.Stage.Kind)
		unknown := pending{}
		unknown.add(stage.Outcome{Status: stage.Failed, Reason: "the worker does not know stages of the kind " + string(t.Stage.Kind)})
		w.report(ctx, &t, &unknown, log)
		return
	}
	ctx, lose := context.WithCancelCause(ctx)
	var alive sync.WaitGroup
	defer alive.Wait()
	defer lose(nil)
	held := t // t changes with every tick
	alive.Go(func() { w.keepLease(ctx, held, lose) })
	var unsaid pending
	wait := retryFirst
	for ctx.Err() == nil {
		out, err := executor.Tick(ctx, t)
		after := out.After
		switch {
		case errors.Is(err, platform.ErrFenced):
			log.Info("The target obeys a newer lease.", "error", err)
			w.giveUp(ctx, t, err, log)
			return
		case errors.Is(context.Cause(ctx), errCancelled):
			log.Info("The task has another holder now.")
			return
		case err != nil:
			if ctx.Err() == nil {
				log.Warn("A step failed and is tried again.", "error", err)
			}
			after, wait = wait, min(2*wait, retryMost)
			out = stage.Outcome{Status: stage.Continue, Progress: &stage.Progress{Now: "trying again: " + fault.MessageWithHint(err), Weight: unsaid.weight}}
		default:
			wait = retryFirst
			if out.State != nil {
				t.State = out.State
			}
		}
		unsaid.add(out)
		ends := out.Status != stage.Continue
		if goesOn := w.report(ctx, &t, &unsaid, log); !goesOn || ends {
			return
		}
		pause(ctx, after)
	}
}

// errCancelled ends a task that was cancelled, or taken over, while it ran.
var errCancelled = errors.New("the task was cancelled")

// keepLease gives signs of life, also during a long tick and in the pause between
// two, and ends the task's context when it has become somebody else's.
func (w *Worker) keepLease(ctx context.Context, t stage.Task, lose context.CancelCauseFunc) {
	ticker := time.NewTicker(sign)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		alive := w.reportOf(t)
		alive.Alive = true
		reply, err := w.send(ctx, alive)
		if err == nil && reply.Cancelled {
			lose(errCancelled)
			return
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
