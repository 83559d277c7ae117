package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// clock is the time by which deadlines, leases and freezes go and lines are
// stamped. It never runs backwards, and moves on by the monotonic clock:
//
//   - Where the wall clock jumps ahead, since the machine was suspended or its clock
//     was wrong, it follows. Before it does, jumped may excuse who slept through.
//   - Where the wall clock is set back, it loses a tenth of its speed until the wall
//     has caught up, so that nobody waits much longer than said. A start anew
//     follows at once, and drive.CatchUp moves what is stored back by as much.
type clock struct {
	start time.Time
	log   *slog.Logger
	// wall and since are the system's clocks; tests have their own.
	wall  func() time.Time
	since func(time.Time) time.Duration

	// ahead of the machine's own clock is the wall, in nanoseconds, where a database tells the time.
	offset atomic.Int64

	mu sync.Mutex
	// seen and told are the monotonic clock's and this one's times at the last look, since start.
	seen, told time.Duration
	// ahead is what is still to be lost to the wall.
	ahead time.Duration
	// off is what the wall clock is wrong by; corrected says that somebody has told.
	off       time.Duration
	corrected bool
}

func newClock(log *slog.Logger) *clock {
	return &clock{start: time.Now(), log: log, wall: time.Now, since: time.Since}
}

// newSharedClock goes by a clock that several machines share, which is ahead of this
// one's by so much.
func newSharedClock(log *slog.Logger, ahead time.Duration) *clock {
	c := newClock(log)
	c.offset.Store(int64(ahead))
	c.told = ahead
	c.wall = func() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }
	return c
}

// mostAhead is how far off this machine's clock may be. What is a little off is made up
// for; a clock that is far off says that something is wrong, and puts its marks on all
// that does not ask Fairway for the time: logs, certificates, metrics.
const mostAhead = time.Minute

// farOff returns what is wrong with a clock that is so far behind the shared one.
func farOff(ahead time.Duration) error {
	if ahead.Abs() <= mostAhead {
		return nil
	}
	direction := "behind"
	if ahead < 0 {
		direction = "ahead of"
	}
	return fault.Errorf(fault.Conflict, "this machine's clock is %s %s the database's: here it is %s", ahead.Abs().Round(time.Second), direction,
		time.Now().UTC().Format(time.RFC3339)).WithHint("let both machines follow a time server (NTP), and start again")
}

// keepShared follows the shared clock until ctx ends.
func (c *clock) keepShared(ctx context.Context, ask func(context.Context) (time.Duration, error)) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// What it was before is better than nothing, and others tell of the trouble.
		_ = c.ask(ctx, ask)
	}
}

// ask asks once how far ahead the shared clock is.
func (c *clock) ask(ctx context.Context, ask func(context.Context) (time.Duration, error)) error {
	ahead, err := ask(ctx)
	if err != nil {
		return err
	}
	if err := farOff(ahead); err != nil {
		c.log.Error("This machine's clock is far off.", "error", err)
	}
	c.offset.Store(int64(ahead))
	return nil
}

const (
	// jumpWorthTelling is the difference between both clocks that people should know of.
	jumpWorthTelling = 5 * time.Second
	// jumpWorthFollowing leaves alone what is but the time between two looks.
	jumpWorthFollowing = 50 * time.Millisecond
	// slower is the part of its speed that the clock loses while it is ahead.
	slower = 10
)

// Now never runs backwards.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look()
}

func (c *clock) look() time.Time {
	seen := c.since(c.start)
	passed := seen - c.seen
	lost := min(passed/slower, c.ahead)
	c.seen, c.told, c.ahead = seen, c.told+passed-lost, c.ahead-lost
	return c.start.Add(c.told)
}

// difference is how far the wall is ahead; negative where it is behind.
func (c *clock) difference() time.Duration {
	return c.wall().Round(0).Add(c.off).Sub(c.look().Round(0))
}

// aheadOfMachine is how far this clock is ahead of the machine's own: what it has not
// followed yet, and what another machine has told that the own one is wrong by.
func (c *clock) aheadOfMachine() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.offset.Load()) + c.off - c.difference()
}

// check compares with the wall clock. Where that is far ahead, jumped is called
// with its time first, while this clock is still behind; if it fails, the next
// check tries again.
func (c *clock) check(jumped func(now time.Time) error) {
	c.mu.Lock()
	off, ahead := c.difference(), c.ahead
	c.ahead = max(-off, 0)
	c.mu.Unlock()
	switch {
	case off > jumpWorthTelling:
		c.log.Warn("The system's clock jumped ahead, as after a suspension, and is followed.", "by", off.Round(time.Millisecond))
		if err := jumped(c.wall()); err != nil {
			c.log.Error("The system's clock is not followed yet.", "error", err)
			return
		}
		c.follow()
	case off > jumpWorthFollowing:
		c.follow()
	case -off-ahead > jumpWorthTelling:
		c.log.Warn("The system's clock was set back; time goes on more slowly until it has caught up, or the process is started anew.", "by", (-off - ahead).Round(time.Millisecond))
	}
}

// correct makes the clock that of another machine, by which the wall clock here is wrong
// by off. At first, when nothing has been timed yet, that counts at once; later it is
// followed as if the wall clock had been set.
func (c *clock) correct(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
	if !c.corrected {
		c.told, c.ahead = c.told+c.difference(), 0
	}
	c.corrected = true
}

// follow moves on to the wall's time, if that is ahead.
func (c *clock) follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if off := c.difference(); off > 0 {
		c.told += off
	}
}

// watchClock checks the clock every second until ctx ends.
func watchClock(ctx context.Context, c *clock, jumped func(now time.Time) error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.check(jumped)
		}
	}
}
