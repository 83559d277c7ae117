// Package drive makes the heart beat: it applies events to runs in the store and
// carries out what the pipeline asks for.
//
// In one transaction it loads the run, applies the event, saves the run, appends
// the lines of the ledger and writes wake-ups, lanes, tasks and messages. The
// outside world is never touched inside a transaction: workers lease tasks,
// and messages leave from an outbox after the commit. A process may be killed at
// any instant; the next one goes on from what is committed.
//
// drive does not decide what happens next (package pipeline does) nor who may ask
// for it (package release does).
package drive

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Config is what a Drive needs.
type Config struct {
	Store Store
	// Now is the clock. It must not run backwards.
	Now func() time.Time
	// Deliver sends one message of the outbox; an error means to try again later.
	Deliver func(ctx context.Context, m Message) error
	Log     *slog.Logger
	// Moved hears of every event that was applied to a run and is on disk; may be nil.
	Moved func(kind pipeline.EventKind)
	// LeaseFor is how long a worker holds a task without reporting; default 30 s.
	LeaseFor time.Duration
}

// Drive applies events. It is safe for concurrent use.
type Drive struct {
	store    Store
	now      func() time.Time
	deliver  func(ctx context.Context, m Message) error
	log      *slog.Logger
	leaseFor time.Duration
	moved    func(kind pipeline.EventKind)

	beat    chan struct{} // asks the loop of Run to look again
	wishes  wishes
	changes changes
	beats   beats
	lines   atomic.Int64

	stopped  chan struct{} // closed when Run has ended: nothing new will come
	stopOnce sync.Once

	frozen freezeLook
}

// New returns a Drive. Nothing happens by itself until Run is called.
func New(c Config) *Drive {
	if c.LeaseFor == 0 {
		c.LeaseFor = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Moved == nil {
		c.Moved = func(pipeline.EventKind) {}
	}
	return &Drive{
		moved: c.Moved, store: c.Store, now: c.Now, deliver: c.Deliver, log: c.Log, leaseFor: c.LeaseFor,
		beat: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
}

// Apply gives the release's run one event, in one transaction. When it returns
// nil, the change and everything that follows from it are on disk.
func (d *Drive) Apply(ctx context.Context, release string, ev pipeline.Event) error {
	return d.update(ctx, func(t *transition) error { return t.apply(release, ev) })
}

// Start gives a run that was just stored its first event, inside the caller's
// transaction. Call committed after the commit: only then is it true, and everybody
// is told.
func (d *Drive) Start(tx Tx, release string, actor string) (committed func(), err error) {
	t := &transition{tx: tx, now: d.now()}
	if err := t.apply(release, pipeline.Event{Kind: pipeline.EventCreated, Actor: actor}); err != nil {
		return nil, err
	}
	return func() { d.tell(context.Background(), t) }, nil
}

// Wake makes the loop look again, after a commit of the caller's own.
func (d *Drive) Wake() {
	select {
	case d.beat <- struct{}{}:
	default:
	}
	d.changes.tell()
}

// Lines is how many lines this server has added to the ledger since it started.
func (d *Drive) Lines() int64 { return d.lines.Load() }

// Heard tells that another server on the same store has committed something, and where tasks
// have become free by that.
func (d *Drive) Heard(free ...Place) {
	d.changes.tell()
	d.wishes.tell(free)
}

// Changed returns a channel that gets a signal after every commit (several may be
// told at once), and a function that ends the subscription.
func (d *Drive) Changed() (<-chan struct{}, func()) { return d.changes.subscribe() }

// update runs f as one transaction, and after the commit tells everybody.
func (d *Drive) update(ctx context.Context, f func(*transition) error) error {
	var done *transition
	err := d.store.Update(ctx, func(tx Tx) error {
		done = &transition{tx: tx, now: d.now(), clock: d.now}
		return f(done)
	})
	if err != nil {
		return err
	}
	d.tell(ctx, done)
	return nil
}

// tell tells everybody what a transition has committed.
func (d *Drive) tell(ctx context.Context, done *transition) {
	for _, kind := range done.applied {
		d.moved(kind)
	}
	d.logLines(ctx, done.lines)
	d.lines.Add(int64(len(done.lines)))
	d.wishes.tell(done.free())
	if done.wakes {
		d.Wake()
	} else {
		d.changes.tell()
	}
}

// logLines logs each change of state once, from the line that records it, so that
// the log and the history cannot differ.
func (d *Drive) logLines(ctx context.Context, lines []ledger.Event) {
	for _, l := range lines {
		d.log.LogAttrs(ctx, slog.LevelInfo, l.Text,
			slog.String("release", l.Release), slog.String("environment", l.Environment),
			slog.String("stage", l.Stage), slog.String("event", l.Kind))
	}
}

// changes tells any number of listeners that something was committed.
type changes struct {
	mu        sync.Mutex
	listeners map[chan struct{}]struct{}
}

func (c *changes) subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners == nil {
		c.listeners = map[chan struct{}]struct{}{}
	}
	c.listeners[ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, ch)
	}
}

func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.listeners {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
