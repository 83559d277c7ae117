package worker

import (
	"context"
	"time"
)

const (
	// sign is how often the worker gives a sign of life of a task about which there is
	// nothing else to report.
	sign = time.Second
	// leadLeast and leadMost bound how long before a tick a sign of life is given; in between
	// it is as long as answers take.
	leadLeast = 250 * time.Millisecond
	leadMost  = 2 * time.Second
	// leadMargin is what a busy machine may add.
	leadMargin = 150 * time.Millisecond
)

// lead is how long before a tick a sign of life is given, so that its answer is there when
// the tick begins. A cut that came later than that is not noticed by the tick. The caller
// holds the lock.
func (c *carrying) lead() time.Duration { return min(max(3*c.took, leadLeast), leadMost) }

// signs gives signs of life, also during a long tick and in the pause between two, and
// ends the ticking when the task has become somebody else's.
func (c *carrying) signs(ctx context.Context) {
	ticker := time.NewTicker(sign)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.ask:
		case <-ticker.C:
			c.mu.Lock()
			recent := !c.lost && time.Since(c.heard) < sign/2
			c.mu.Unlock()
			if recent {
				continue
			}
		}
		c.sign(ctx)
	}
}

// sign gives one sign of life.
func (c *carrying) sign(ctx context.Context) {
	c.mu.Lock()
	alive := c.w.reportOf(c.task)
	c.mu.Unlock()
	alive.Alive = true
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, 2*answerWait)
	defer cancel()
	reply, err := c.w.c.Server.Report(limited, alive)
	took := time.Since(began)
	if err == nil {
		c.mu.Lock()
		c.took = (3*c.took + took) / 4
		c.mu.Unlock()
		c.answered(reply, false)
	}
}
