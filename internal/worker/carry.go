package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// carrying is one task in the worker's hands. Three goroutines share it: one ticks, one
// tells the server what came of that (tell.go), and that of all tasks gives signs of life
// (sign.go). So a server that does not answer keeps nobody from looking at a canary.
type carrying struct {
	w       *Worker
	log     *slog.Logger
	journal *journal
	// lose ends the ticking: the task is somebody else's, or over.
	lose context.CancelCauseFunc

	mu   sync.Mutex
	task stage.Task // as the next tick gets it
	// unsaid is what the server has not heard.
	unsaid pending
	// quiet says that the last tick brought nothing new.
	quiet bool
	// lost says that the server did not answer in time, and has not yet heard everything.
	lost bool
	// ending says that the task has its outcome; over that the server has ended the lease.
	ending, over bool
	// follows is the task that the server gave with its answer to that outcome.
	follows *follower
	// heard is when the server answered last, asked when that was asked for, and took how
	// long answers to signs of life take.
	heard, asked time.Time
	took         time.Duration
	// paused is when the server last said why the task may not advance.
	paused time.Time
	// led is how long before the next tick a sign of life is given.
	led time.Duration
	// changed is closed, and replaced, when any of this has changed.
	changed chan struct{}
	// news wakes who tells; back who waits to tell again.
	news, back chan struct{}
}

// follower is a task that came with the answer to the outcome of the one before it.
type follower struct {
	task stage.Task
	word
}

// word is how old it may be what the server has said of a task that begins.
type word struct {
	// heard is when the server said so; where it answered, at the earliest, since an answer may
	// be long under way. took is how long answers take.
	heard time.Time
	took  time.Duration
}

// errCancelled ends a task that was cancelled, or taken over, while it ran.
var errCancelled = errors.New("the task was cancelled")

// Why a task may not advance while the server does not answer, or has not answered yet.
const (
	cutOff = "the worker cannot reach the server"
	unsure = "the server has not answered the worker yet"
)

// heldLeast is the least time between two ticks that are held because the worker is cut
// off: who wants to go on at once may not.
const heldLeast = 250 * time.Millisecond

// carryOut ticks one task until it ends, is cancelled, or ctx ends, and returns the one that
// follows, where the server gave it. What was kept of an earlier life of the worker goes on
// with what that had not told yet.
func (w *Worker) carryOut(ctx context.Context, kept record, said word) (next *follower) {
	t := kept.Task
	c := &carrying{
		w: w, task: t, unsaid: kept.pending(), heard: said.heard, took: said.took, changed: make(chan struct{}),
		lost: kept.Sent != nil || len(kept.Rest) > 0, news: make(chan struct{}, 1), back: make(chan struct{}, 1),
		log: w.c.Log.With("release", t.Release, "service", t.Service, "environment", t.Environment, "stage", t.Stage.Name, "task", t.ID, "worker", w.c.Name),
	}
	c.ending, c.led = c.unsaid.ends(), c.lead()
	c.journal = w.journalOf(t, c.log)
	if c.journal != nil {
		c.journal.kept = kept.Number > 0 || c.lost
	}
	if c.journal.stale() { // what is appended to a torn tail could not be read
		c.journal.replace(c.record(), true)
	}
	ticking, lose := context.WithCancelCause(ctx)
	c.lose = lose
	var beside sync.WaitGroup
	beside.Go(func() { c.tell(ticking) })
	unsigned := w.signs.begin(c)
	seen, why := c.ticks(ticking)
	unsigned()
	lose(nil)
	beside.Wait()
	if seen == 0 && (ctx.Err() != nil || why != "") {
		c.leave(ctx, why)
		if ctx.Err() != nil || !c.ended() {
			return c.follows
		}
	}
	told := c.tellLate(ctx)
	if seen > 0 {
		c.giveUp(ctx, seen)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsaid.any() && (ctx.Err() != nil || !told) {
		c.disconnect() // the worker's next life tells it
		return c.follows
	}
	c.journal.remove()
	return c.follows
}

// ticks lets the executor work until the task ends. It returns the fence that the target
// obeys, where that is a newer one, and why this worker cannot carry the task out, where it
// cannot.
func (c *carrying) ticks(ctx context.Context) (seen int64, why string) {
	executor, ok := c.w.c.Executors[c.task.Stage.Kind]
	if !ok {
		c.log.Warn("The worker cannot carry out this kind of stage and leaves it.", "kind", c.task.Stage.Kind)
		return 0, fmt.Sprintf("worker %s does not know stages of the kind %q: start one of a newer Fairway", c.w.c.Name, c.task.Stage.Kind)
	}
	wait := retryFirst
	for ctx.Err() == nil && !c.ended() {
		out, err := tick(ctx, executor, c.next())
		after := out.After
		switch {
		case errors.Is(err, platform.ErrFenced):
			c.log.Info("The target obeys a newer lease.", "error", err)
			return platform.SeenFence(err), ""
		case errors.Is(context.Cause(ctx), errCancelled):
			c.log.Info("The task has another holder now.")
			return 0, ""
		case err != nil && ctx.Err() != nil:
			return 0, ""
		case errors.Is(err, stage.ErrNewer):
			c.log.Warn("The task is left to a newer worker.", "error", err)
			return 0, fault.MessageWithHint(err)
		case err != nil:
			c.log.Warn("A step failed and is tried again.", "error", err)
			after, wait = wait, min(2*wait, retryMost)
			out = stage.Outcome{Status: stage.Continue, Progress: &stage.Progress{Now: "trying again: " + fault.MessageWithHint(err), Weight: c.weight()}}
		default:
			wait = retryFirst
		}
		c.add(out)
		if out.Status != stage.Continue {
			break
		}
		c.rest(ctx, after)
	}
	c.untilTold(ctx, &retreat{executor: executor})
	return 0, ""
}

// tick ticks once. What one release makes panic must not end the worker: it would be given
// the task again, and leave all others alone meanwhile.
func tick(ctx context.Context, e stage.Executor, t stage.Task) (out stage.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = stage.Outcome{}, fault.Errorf(fault.Internal, "panic: %v\n%s", p, debug.Stack())
		}
	}()
	return e.Tick(ctx, t)
}

// next is the task for the next tick. Where the server has not heard what came of the
// last one, or nothing was heard of it lately, nothing may advance.
func (c *carrying) next() stage.Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.task
	switch {
	case c.lost:
		t.Hold = cutOff
	case t.Hold == "" && !t.Undo && (c.unsaid.any() || time.Since(c.heard) > max(c.led, leadLeast)+leadMargin):
		t.Hold = unsure
	}
	return t
}

// add keeps what came of a tick until the server has heard it; what it knows is not told
// again.
func (c *carrying) add(out stage.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet = c.unsaid.nothingNew(out); c.quiet {
		return
	}
	if out.State != nil {
		c.task.State = out.State
	}
	c.ending = out.Status != stage.Continue
	c.keep(out)
}

// keep adds what is to be told, on disk too while the server does not answer. The caller holds
// the lock.
func (c *carrying) keep(out stage.Outcome) {
	out = c.unsaid.add(out, c.w.c.Now())
	switch {
	case c.lost && c.journal.full():
		c.journal.replace(c.record(), true)
	case c.lost:
		c.journal.append(out)
	}
	wake(c.news)
}

// rest waits for the next tick: until the server has heard of the last one, which it may
// take at least answerWait for, and until the time has come. A sign of life some moments
// before lets the next tick know whether it may advance.
func (c *carrying) rest(ctx context.Context, after time.Duration) {
	began := time.Now()
	c.mu.Lock()
	if c.lost || c.quiet { // else the answer to a report takes its time
		after = max(after, heldLeast)
	}
	c.mu.Unlock()
	c.await(ctx, max(after, answerWait), func() bool { return c.lost || !c.unsaid.any() })
	left := after - time.Since(began)
	c.mu.Lock()
	lead, asks, quiet := c.lead(), !c.lost && c.task.Hold == "" && !c.task.Undo, c.quiet
	c.led = lead
	c.mu.Unlock()
	if asks && left > 0 && (after > lead || quiet) {
		pause(ctx, left-lead)
		asked := time.Now()
		c.w.signs.ask(c)
		pause(ctx, after-time.Since(began))
		// A tick that comes a little late is better than one that may not advance.
		c.await(ctx, lead, func() bool { return c.lost || !c.asked.Before(asked) })
	} else {
		pause(ctx, left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsaid.any() && !c.lost && time.Since(began) >= answerWait {
		c.disconnect()
	}
}

// untilTold waits until the server has heard everything, however long that takes, and takes
// back meanwhile what has failed.
func (c *carrying) untilTold(ctx context.Context, r *retreat) {
	wait := answerWait
	for !c.await(ctx, wait, func() bool { return c.over || !c.unsaid.any() }) && ctx.Err() == nil {
		c.mu.Lock()
		c.disconnect()
		c.mu.Unlock()
		c.step(ctx, r)
		wait = heldLeast
	}
}

// await waits for the condition, which is looked at under the lock; false where it did not
// come true in time.
func (c *carrying) await(ctx context.Context, limit time.Duration, holds func() bool) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		c.mu.Lock()
		done, changed := holds(), c.changed
		c.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (c *carrying) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over || c.ending
}

func (c *carrying) weight() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsaid.weight
}

// disconnect notes that the server does not answer: from now on everything is kept on disk. The
// caller holds the lock.
func (c *carrying) disconnect() {
	if c.lost {
		return
	}
	c.lost = true
	c.journal.replace(c.record(), true)
	c.tellAll()
}

// record is what a later life of the worker would go on from. The caller holds the lock.
func (c *carrying) record() record {
	r := record{Task: c.task, Number: c.unsaid.number, Sent: c.unsaid.sent, Weight: c.unsaid.weight}
	if c.unsaid.rest != nil {
		r.Rest = []stage.Outcome{*c.unsaid.rest}
	}
	return r
}

// tellAll wakes all who await something. The caller holds the lock.
func (c *carrying) tellAll() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wake lets somebody look; who is about to look anyway needs no second call.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
