package app

import (
	"log/slog"
	"time"
)

// clock is the time as the system told it once, moved on by the monotonic clock.
// A wall clock that jumps while the process runs moves no deadline and no lease.
type clock struct {
	start time.Time
	log   *slog.Logger
	// wall and since are the system's clocks; tests have their own.
	wall  func() time.Time
	since func(time.Time) time.Duration
}

func newClock(log *slog.Logger) *clock {
	return &clock{start: time.Now(), log: log, wall: time.Now, since: time.Since}
}

// Now never runs backwards.
func (c *clock) Now() time.Time { return c.start.Add(c.since(c.start)) }

// jumpWorthTelling is the difference between both clocks that people should know of.
const jumpWorthTelling = 5 * time.Second

// check tells when the wall clock has jumped, once per jump. told is the
// difference that was told last; check returns the one that has been told now.
func (c *clock) check(told time.Duration) time.Duration {
	off := c.wall().Round(0).Sub(c.Now().Round(0))
	if d := off - told; d > jumpWorthTelling || d < -jumpWorthTelling {
		c.log.Warn("The system's clock jumped; deadlines keep to the steady clock until the next start.", "by", off.Round(time.Millisecond))
		return off
	}
	return told
}
