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
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/fairwayhq/fairway/internal/fault"
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
	// Parallel is how many tasks run at the same time; default 16.
	Parallel int
	Log      *slog.Logger
}

// Worker carries out tasks until its context ends.
type Worker struct {
	c     Config
	tasks sync.WaitGroup
	slots chan struct{}
	signs *signs

	// greeted is when server and worker last found that they fit, off what its clock was
	// found to be off by.
	greeted time.Time
	off     time.Duration
	said    string // the complaint that was logged last
	saidAt  time.Time

	mu sync.Mutex
	// holding are the fences of the leases in hand, by the task's ID.
	holding map[string][]int64
}

// New returns a worker that does nothing until Run is called.
func New(c Config) *Worker {
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	w := &Worker{c: c, slots: make(chan struct{}, c.Parallel), holding: map[string][]int64{}}
	w.signs = newSigns(w)
	return w
}

// How long the worker waits: for tasks, and between tries.
const (
	leaseWait  = 20 * time.Second
	retryFirst = 200 * time.Millisecond
	retryMost  = 5 * time.Second
	// leaseLimit is when a wish for tasks counts as lost on the way.
	leaseLimit = leaseWait + 10*time.Second
)

// Run leases and carries out tasks until ctx ends, and returns when all have stopped.
func (w *Worker) Run(ctx context.Context) error {
	defer w.tasks.Wait()
	w.tasks.Go(func() { w.signs.run(ctx) })
	w.listen(ctx)
	w.resume(ctx)
	resume, wait := true, retryFirst
	for ctx.Err() == nil {
		free := w.take(ctx)
		if free == 0 {
			return nil
		}
		tasks, err := w.lease(ctx, free, resume)
		w.give(free - len(tasks))
		if err != nil {
			if ctx.Err() == nil {
				w.complain(err)
			}
			pause(ctx, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		resume, wait, w.said = false, retryFirst, ""
		for _, t := range tasks {
			if !w.begin(t) { // before the next wish for tasks
				w.giveBack(ctx, t)
				w.give(1)
				continue
			}
			w.tasks.Go(func() {
				defer w.give(1)
				w.carryOn(ctx, record{Task: t})
			})
		}
	}
	return nil
}

// carryOn carries out a task in hand, and those that follow it and are given with the
// server's answers.
func (w *Worker) carryOn(ctx context.Context, r record) {
	said := word{heard: time.Now()} // a wish for tasks waits at the server, nobody knows how long
	for {
		next := w.carryOut(ctx, r, said)
		w.end(r.Task)
		if next == nil || !w.begin(next.task) {
			return
		}
		r, said = record{Task: next.task}, next.word
	}
}

// resume goes on with what an earlier life of the worker could not tell the server. That
// waits for no slot: users have what was begun.
func (w *Worker) resume(ctx context.Context) {
	for _, r := range readJournals(w.c.Journal, w.c.Log) {
		w.c.Log.Info("A task goes on from the journal.", "release", r.Task.Release, "service", r.Task.Service, "environment", r.Task.Environment, "task", r.Task.ID, "worker", w.c.Name)
		w.hold(r.Task) // before the first wish for tasks
		slot := w.takeNow()
		w.tasks.Go(func() {
			defer w.give(slot)
			w.carryOn(ctx, r)
		})
	}
}

// lease asks for tasks, from a server that fits.
func (w *Worker) lease(ctx context.Context, free int, resume bool) ([]stage.Task, error) {
	if err := w.greet(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	return w.c.Server.Lease(ctx, stage.LeaseAsk{
		Entries: true, Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Max: free, Wait: leaseWait,
		Resume: resume, Holding: w.inHand(),
	})
}

// complain tells why there are no tasks: when that changes, and once a minute.
func (w *Worker) complain(err error) {
	text := fault.MessageWithHint(err)
	wordsOnly := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) { // of a time, for instance
			return -1
		}
		return r
	}, text)
	if wordsOnly == w.said && time.Since(w.saidAt) < time.Minute {
		return
	}
	w.said, w.saidAt = wordsOnly, time.Now()
	w.c.Log.Warn("The worker gets no tasks, and goes on trying.", "worker", w.c.Name, "error", text)
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

// take waits for at least one free slot and takes all that are free.
func (w *Worker) take(ctx context.Context) int {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	n := 1
	for w.takeNow() > 0 {
		n++
	}
	return n
}

// takeNow takes a slot, if one is free, and tells how many it took.
func (w *Worker) takeNow() int {
	select {
	case w.slots <- struct{}{}:
		return 1
	default:
		return 0
	}
}

func (w *Worker) give(n int) {
	for range n {
		<-w.slots
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
