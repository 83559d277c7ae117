package worker

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

// leaveWait is how long a worker that stops tries to give its tasks back; cutOffWait is how
// long it tries where the server did not answer before. What it cannot give back goes on
// when its lease has run out, or when the worker is back, from the journal.
const (
	leaveWait  = 5 * time.Second
	cutOffWait = time.Second
	// mostLeaving is how many tasks it gives back at the same time, and queueWait how long the
	// others wait for that: thousands at once would only wait for each other at the server.
	mostLeaving = 32
	queueWait   = 8 * time.Second
)

// leave gives the task back with all that was not told of it, so that another worker, or
// this one started anew, goes on at once. why is empty for a worker that stops, else
// what keeps this one from carrying the task out. ctx may have ended.
func (c *carrying) leave(ctx context.Context, why string) {
	c.mu.Lock()
	limit := leaveWait
	if c.lost {
		limit = cutOffWait
	}
	c.mu.Unlock()
	select {
	case c.w.leaving <- struct{}{}:
		defer func() { <-c.w.leaving }()
	case <-time.After(queueWait):
		c.notLeft(errors.New("too many others are left at the same time"))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	switch ended, err := c.tellRest(ctx); {
	case err != nil:
		c.notLeft(err)
		return
	case !ended:
		report := c.emptyReport()
		report.Left, report.Why = true, why
		if _, err := c.w.send(ctx, report); err != nil {
			c.notLeft(err)
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unsaid.any() { // else it is told late, by the worker's next life
		c.journal.remove()
	}
}

// tellRest tells what was not told, and whether that ended the lease.
func (c *carrying) tellRest(ctx context.Context) (ended bool, err error) {
	for {
		report := c.nextReport(false)
		if report == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.over || ended, nil
		}
		report.Next = report.Outcome.Status != stage.Continue // as it was told, or it is another report
		began := time.Now()
		reply, err := c.w.send(ctx, *report)
		if err != nil && c.lighten(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		c.answered(reply, began, true)
		ended = ended || report.Outcome.Status != stage.Continue
	}
}

func (c *carrying) notLeft(err error) {
	c.mu.Lock()
	if c.unsaid.any() {
		c.disconnect() // the worker's next life tells it
	}
	c.mu.Unlock()
	c.log.Warn("The server was not told that the task is left; it goes on when its lease has run out.", "error", err)
}
