package app

import (
	"log/slog"
	"time"
)

// clock is the time as the system told it once, moved on by the steady clock.
// A wall clock that jumps while the process runs moves no deadline and no lease.
type clock struct {
	start time.Time
	log   *slog.Logger
	// steady is the time since start by a clock that nobody can set; wall is what
	// the system says the time is.
	steady func() time.Duration
	wall   func() time.Time
}

func newClock(log *slog.Logger) *clock {
	start := time.Now()
	return &clock{
		start: start, log: log,
		steady: func() time.Duration { return time.Since(start) },
		wall:   func() time.Time { return time.Now().Round(0) }, // without its steady reading
	}
}

// Now never runs backwards.
func (c *clock) Now() time.Time { return c.start.Add(c.steady()) }

// jumpWorthTelling is the difference between both clocks that people should know of.
const jumpWorthTelling = 5 * time.Second

// check tells when the wall clock has jumped, once per jump.
func (c *clock) check(told time.Duration) time.Duration {
	off := c.wall().Sub(c.Now().Round(0))
	if d := off - told; d > jumpWorthTelling || d < -jumpWorthTelling {
		c.log.Warn("The system's clock jumped; deadlines keep to the steady clock until the next start.", "by", off.Round(time.Millisecond))
		return off
	}
	return told
}
