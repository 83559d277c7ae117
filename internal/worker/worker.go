// Package worker carries tasks out near their targets: it leases them from the
// server, ticks their executors, and reports what is new after a tick.
//
// A worker connects outwards only; what it must remember travels with each report.
// While it cannot reach the server it goes on, but only towards safety: every tick is
// then told to hold, so a canary may retreat or be taken back and never advances. What
// happens then is kept in a journal, one file a task, until the server has heard it: a
// worker that is killed meanwhile goes on from there. It stops when it learns that a
// newer lease holds its target.
package worker

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Server is where tasks come from and outcomes go.
type Server interface {
	Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error)
	Report(ctx context.Context, r stage.Report) (stage.Reply, error)
	// Signs answers signs of life in their order.
	Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error)
}

// Config is what a worker needs.
type Config struct {
	Name string
	// Environments and Regions restrict the tasks; empty means all that the server gives.
	Environments []string
	Regions      []string
	Server       Server
	// Greeter is the server where it may be of another build, or on another machine; nil
	// where it is in this process.
	Greeter Greeter
	// Version is this build's, for people.
	Version   string
	Executors map[pipeline.Kind]stage.Executor
	// Desk is where inquiries come from, and Respond finds their answers; nil answers none.
	Desk    Desk
	Respond func(ctx context.Context, q inquiry.Inquiry) inquiry.Answer
	// Journal is the folder of what the server has not heard; empty keeps nothing.
	Journal string
	// Now is the clock by which lines are stamped, Wall that of the machine; nil means the
	// system's. ClockOff is told how far Wall is behind the server's clock; may be nil.
	Now, Wall func() time.Time
	ClockOff  func(off time.Duration)
	// Parallel is how many stages are carried at the same time, 1 to MostParallel, and
	// ParallelJobs how many of them may run a command, at least 1; what cannot wait comes on
	// top. Default: DefaultParallel and DefaultParallelJobs.
	Parallel, ParallelJobs int
	Log                    *slog.Logger
}

// Worker carries out tasks until its context ends.
type Worker struct {
	c      Config
	tasks  sync.WaitGroup
	places *places
	signs  *signs
	// leaving has one of each task that is given back just now.
	leaving chan struct{}

	greeting greeting

	mu sync.Mutex
	// holding are the fences of the leases in hand, by the task's ID.
	holding map[string][]int64
}

// New returns a worker that does nothing until Run is called.
func New(c Config) *Worker {
	c.Parallel = cmp.Or(c.Parallel, DefaultParallel)
	c.ParallelJobs = cmp.Or(c.ParallelJobs, DefaultParallelJobs)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	w := &Worker{c: c, leaving: make(chan struct{}, mostLeaving), places: newPlaces(c.Parallel, c.ParallelJobs), holding: map[string][]int64{}}
	w.greeting.wire = stage.Wire
	w.signs = newSigns(w)
	return w
}

// How long the worker waits between tries.
const (
	retryFirst = 200 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Run leases and carries out tasks until ctx ends, and returns when all have stopped.
func (w *Worker) Run(ctx context.Context) error {
	defer w.tasks.Wait()
	w.tasks.Go(func() { w.signs.run(ctx) })
	w.listen(ctx)
	w.resume(ctx)
	w.wishes(ctx, firstWish)
	w.tasks.Go(func() { w.wishes(ctx, urgentWish) })
	w.wishes(ctx, placedWish)
	return nil
}

// start carries out a task that was leased. It is in hand, and has its place, before the next
// wish for tasks.
func (w *Worker) start(ctx context.Context, t stage.Task) {
	if !w.begin(t) {
		w.giveBack(ctx, t)
		return
	}
	p := w.places.take()
	suits := p.suits(t)
	w.tasks.Go(func() {
		defer p.leave()
		if !suits {
			w.leaveOut(ctx, t)
			return
		}
		w.carryOn(ctx, record{Task: t}, p)
	})
}

// carryOn carries out a task in hand, and those that follow it and are given with the
// server's answers. They keep the place.
func (w *Worker) carryOn(ctx context.Context, r record, p *place) {
	said := word{heard: time.Now()} // a wish for tasks waits at the server, nobody knows how long
	for {
		next := w.carryOut(ctx, r, said)
		w.end(r.Task)
		if next == nil || !w.begin(next.task) {
			return
		}
		if !p.suits(next.task) {
			w.leaveOut(ctx, next.task)
			return
		}
		r, said = record{Task: next.task}, next.word
	}
}

// resume goes on with what an earlier life of the worker could not tell the server. That
// waits for no place: users have what was begun.
func (w *Worker) resume(ctx context.Context) {
	for _, r := range readJournals(w.c.Journal, w.c.Log) {
		w.c.Log.Info("A task goes on from the journal.", "release", r.Task.Release, "service", r.Task.Service, "environment", r.Task.Environment, "task", r.Task.ID, "worker", w.c.Name)
		w.hold(r.Task) // before the first wish for tasks
		p := w.places.take()
		p.keeps(r.Task)
		w.tasks.Go(func() {
			defer p.leave()
			w.carryOn(ctx, r, p)
		})
	}
}

// begin notes that a lease of the task is in hand; false where one was: an answer that was
// lost, and given again, may have crossed a wish for tasks.
func (w *Worker) begin(t stage.Task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.holding[t.ID]) > 0 {
		return false
	}
	w.holding[t.ID] = []int64{t.Fence}
	return true
}

// hold notes one more lease of the task: there may be journals of several.
func (w *Worker) hold(t stage.Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding[t.ID] = append(w.holding[t.ID], t.Fence)
}

// end notes that the lease is not in hand any more.
func (w *Worker) end(t stage.Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fences := w.holding[t.ID]
	if i := slices.Index(fences, t.Fence); i >= 0 {
		fences = slices.Delete(fences, i, i+1)
	}
	if w.holding[t.ID] = fences; len(fences) == 0 {
		delete(w.holding, t.ID)
	}
}

// giveBack gives a lease back of a task that is in hand under another one, which ends when the
// server is asked. It is the lease in hand itself where that came by two ways.
func (w *Worker) giveBack(ctx context.Context, t stage.Task) {
	w.mu.Lock()
	same := slices.Contains(w.holding[t.ID], t.Fence)
	w.mu.Unlock()
	if same {
		return
	}
	w.leaveTask(ctx, t)
}

// leaveOut gives back a job for which no place is free. The server did not know that, or not
// that it is one: one that came with an answer, or was begun under an older server.
func (w *Worker) leaveOut(ctx context.Context, t stage.Task) {
	w.leaveTask(ctx, t)
	w.end(t)
}

func (w *Worker) leaveTask(ctx context.Context, t stage.Task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWait)
	defer cancel()
	report := w.reportOf(t)
	report.Left = true
	if _, err := w.send(ctx, report); err != nil {
		w.c.Log.Warn("The server was not told that the task is left; it goes on when its lease has run out.", "task", t.ID, "error", err)
	}
}

func (w *Worker) inHand() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.holding))
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
