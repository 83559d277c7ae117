package app

import (
	"context"
	"log/slog"
	"sync"
	"time"
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
