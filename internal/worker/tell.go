package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

const (
	// answerWait is how long a report or a sign of life may be without an answer before the
	// worker counts as cut off.
	answerWait = time.Second
	// reportWait is how long a report may be under way, beside the time that its bytes take
	// at slowest bytes a second. One that has not arrived by then is sent again.
	reportWait = 5 * time.Second
	slowest    = 32 << 10
)

// tell sends what is unsaid, in order and as often as it takes, until ctx ends or nothing
// of the task is left to tell. A report without an answer may have been taken in, so it is
// sent again as it was, with its number, before anything newer.
func (c *carrying) tell(ctx context.Context) {
	for wait := retryFirst; ctx.Err() == nil; {
		report := c.nextReport(false)
		if report == nil {
			select {
			case <-c.news:
			case <-ctx.Done():
			}
			continue
		}
		report.Next = report.Outcome.Status != stage.Continue
		began := time.Now()
		reply, err := c.w.send(ctx, *report)
		if err == nil {
			wait = retryFirst
			c.answered(reply, began, true)
			continue
		}
		if ctx.Err() != nil || c.lighten(err) {
			continue
		}
		c.mu.Lock()
		level := slog.LevelWarn
		if c.lost { // that was told
			level = slog.LevelDebug
		}
		c.disconnect()
		c.mu.Unlock()
		c.log.Log(ctx, level, "The server did not take the report; until it does, nothing advances.", "error", err)
		retry := time.NewTimer(wait)
		select {
		case <-c.back:
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
		wait = min(2*wait, retryMost)
	}
}

// nextReport is what is to be sent now: again what has no answer, or else the next part of
// the rest; nil where there is nothing, or nobody would hear it.
func (c *carrying) nextReport(late bool) *stage.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over && !late {
		return nil
	}
	if c.unsaid.sent == nil {
		if c.unsaid.rest == nil {
			return nil
		}
		report := c.w.reportOf(c.task)
		c.unsaid.cut(&report)
		if c.lost || c.unsaid.weight > 0 || c.journal.stale() {
			// Who has traffic is looked after also when the worker dies just now, and
			// comes back where no server answers.
			c.journal.replace(c.record(), c.lost)
		}
	}
	report := *c.unsaid.sent
	report.Late = late
	return &report
}

// answered takes in the answer to a report, or to a sign of life, that was sent then. Answers
// may overtake each other: each may hold the task, and only one to what was sent after that
// was heard lets it go on.
func (c *carrying) answered(reply stage.Reply, sent time.Time, report bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.tellAll()
	overtaken := sent.Before(c.asked)
	if !overtaken {
		c.heard, c.asked = time.Now(), sent
	}
	switch {
	case reply.Cancelled && !report && c.unsaid.ends():
		wake(c.back)
		return // the outcome's own answer says more
	case reply.Cancelled:
		c.over = true
		if report && reply.Next != nil {
			c.follows = &follower{*reply.Next, word{heard: sent, took: c.took}}
		}
		if report && reply.Taken {
			c.unsaid.heard()
		}
		if !c.lost {
			c.unsaid = pending{weight: c.unsaid.weight} // nothing that others would have to know
		}
		if !c.unsaid.ends() {
			c.lose(errCancelled)
		}
		return
	case report:
		c.unsaid.heard()
	}
	switch {
	case reply.Hold != "":
		c.task.Hold, c.paused = reply.Hold, time.Now()
	case !overtaken && sent.After(c.paused):
		c.task.Hold = ""
	}
	if !overtaken {
		c.task.Decision, c.task.Deadline, c.task.LeaseUntil = reply.Decision, reply.Deadline, reply.LeaseUntil
	}
	if c.unsaid.any() {
		wake(c.back)
		return
	}
	if c.lost {
		c.log.Info("The server has heard what happened while it could not be reached.")
	}
	c.lost = false
	if c.unsaid.weight == 0 {
		c.journal.remove() // the server knows all, and will not hear of the journal what comes now
	}
}

// lighten leaves out of a report what the server refuses; false where that is not what is
// wrong. What an older server cannot read a newer one will: it is kept for as long as there is
// room for what comes after it.
func (c *carrying) lighten(refusal error) bool {
	if fault.CodeOf(refusal) != fault.Invalid {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(refusal, stage.ErrUnread) && !c.unsaid.full() || !c.unsaid.lighten(refusal) {
		return false
	}
	c.log.Error("The server refuses what was to be reported; it is left out.", "error", refusal)
	return true
}

// tellLate tells what the server has not heard although the task is not this lease's any
// more: what a worker did while it was cut off belongs into the record. false where this
// worker may not tell it.
func (c *carrying) tellLate(ctx context.Context) (told bool) {
	for wait := retryFirst; ctx.Err() == nil; {
		report := c.nextReport(true)
		if report == nil {
			return true
		}
		_, err := c.w.send(ctx, *report)
		switch code := fault.CodeOf(err); {
		case err == nil:
			wait = retryFirst
			c.mu.Lock()
			c.unsaid.heard()
			c.mu.Unlock()
			continue
		case errors.Is(err, stage.ErrUnread): // the next server may be newer
		case code == fault.Invalid, code == fault.Conflict:
			if !c.lighten(err) {
				c.log.Error("What happened while the worker was cut off cannot be told.", "error", err)
				return true
			}
			continue
		case code == fault.Denied:
			c.log.Error("What happened while the worker was cut off may not be told; it stays in the journal.", "error", err)
			return false
		}
		c.log.Warn("What happened while the worker was cut off is not told yet.", "error", err)
		pause(ctx, wait)
		wait = min(2*wait, retryMost)
	}
	return true
}

// giveUp leaves a task whose target refused the fence. The server hears which fence the
// target has seen: where it never gave so great a one, it must.
func (c *carrying) giveUp(ctx context.Context, seen int64) {
	report := c.emptyReport()
	report.Seen = seen
	// Also who stops just now says it: only this worker has seen the fence.
	if _, err := c.w.send(context.WithoutCancel(ctx), report); err != nil {
		c.log.Warn("The server was not told of the newer lease.", "error", err)
	}
}

// send sends one report. Whoever waits for the answer does not judge meanwhile, so nobody
// who judges waits for it.
func (w *Worker) send(ctx context.Context, r stage.Report) (stage.Reply, error) {
	limit := reportWait + time.Duration(len(r.Outcome.State))*time.Second/slowest
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return w.c.Server.Report(ctx, r)
}

// emptyReport names the task. Answers to signs of life, which change it, may come meanwhile.
func (c *carrying) emptyReport() stage.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.reportOf(c.task)
}

func (w *Worker) reportOf(t stage.Task) stage.Report {
	return stage.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Region: t.Region, Entry: t.Entry, Stage: t.Stage.Name, Worker: w.c.Name, Fence: t.Fence,
		Outcome: stage.Outcome{Status: stage.Continue},
	}
}
