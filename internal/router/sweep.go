package router

import (
	"context"
	"time"
)

const (
	sweepEvery = 250 * time.Millisecond
	// idleClient is how long a client's connection is kept without a request.
	idleClient = 2 * time.Minute
	// slowClient is how long a client may take for a request's head, or go without
	// sending more of its body.
	slowClient = 30 * time.Second
	// lastIdle is how long an idle connection is kept while the router stops.
	lastIdle = time.Second
)

// sweep ends what takes too long, and exchanges whose client or backend is gone.
func (p *plane) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.each(func(c *conn) { c.sweep(now) })
		}
	}
}

func (c *conn) sweep(now time.Time) {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	w := &c.watch
	lasted := now.Sub(w.since)
	switch w.phase {
	case phaseIdle:
		if lasted > idleClient || lasted > lastIdle && c.plane.closing.Load() {
			c.Close()
		}
	case phaseReading:
		if lasted > slowClient {
			c.Close()
		}
	case phaseUploading:
		if lasted > slowClient {
			w.endLocked(endedAborted)
		}
	case phaseSending, phaseWaiting:
		if lasted > w.limit {
			w.endLocked(endedTimeout)
		}
	}
	if w.up == nil || w.ended != endedNot {
		return
	}
	if w.cut.Err() != nil {
		w.endLocked(endedCut)
	} else if (w.phase == phaseWaiting || w.phase == phaseAnswering) && lasted > sweepEvery && hungUp(c.Conn) {
		w.endLocked(endedAborted)
	}
}
