package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// report tells the server what has not been told yet, and tells whether to go on.
// While the server cannot be reached, a task that goes on is told to hold; an
// ending is told until it is heard.
func (w *Worker) report(ctx context.Context, t *stage.Task, unsaid *pending, log *slog.Logger) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		reply, err := w.tell(ctx, t, unsaid, log)
		if err == nil {
			t.Hold, t.Decision, t.Deadline, t.LeaseUntil = reply.Hold, reply.Decision, reply.Deadline, reply.LeaseUntil
			return !reply.Cancelled
		}
		if ctx.Err() != nil {
			return false
		}
		log.Warn("The server did not take the report.", "error", err)
		t.Hold = cutOff
		if !unsaid.ends() {
			return true
		}
		pause(ctx, wait)
	}
}

// tell sends what is unsaid, in as many reports as it takes. A report without an
// answer may have been taken in, so it is sent again as it was, with its number,
// before anything newer.
func (w *Worker) tell(ctx context.Context, t *stage.Task, unsaid *pending, log *slog.Logger) (stage.Reply, error) {
	for {
		if unsaid.sent == nil {
			report := w.reportOf(*t)
			report.Number, report.Outcome = unsaid.cut()
			unsaid.sent = &report
		}
		reply, err := w.send(ctx, *unsaid.sent)
		switch {
		case fault.CodeOf(err) == fault.Invalid && unsaid.lighten(err):
			log.Error("The server refuses what was to be reported; it is left out.", "error", err)
			continue
		case err != nil:
			return reply, err
		}
		unsaid.sent = nil
		if reply.Cancelled || unsaid.rest == nil {
			return reply, nil
		}
	}
}

// answerWait is how long a report may wait for its answer. Whoever waits does not
// judge: a server that hangs must not keep a bad canary in traffic.
const answerWait = 2 * time.Second

func (w *Worker) send(ctx context.Context, r stage.Report) (stage.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	return w.c.Server.Report(ctx, r)
}

// giveUp leaves a task whose target refused the fence. The server hears which
// fence the target has seen: where it never gave so great a one, it must.
func (w *Worker) giveUp(ctx context.Context, t stage.Task, refusal error, log *slog.Logger) {
	report := w.reportOf(t)
	if report.Seen = platform.SeenFence(refusal); report.Seen == 0 {
		return
	}
	if _, err := w.send(ctx, report); err != nil && ctx.Err() == nil {
		log.Warn("The server was not told of the newer lease.", "error", err)
	}
}

func (w *Worker) reportOf(t stage.Task) stage.Report {
	return stage.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Entry: t.Entry, Worker: w.c.Name, Fence: t.Fence,
		Outcome: stage.Outcome{Status: stage.Continue},
	}
}

// cutOff is why a task may not advance while the server does not answer.
const cutOff = "the worker cannot reach the server"

// pending is what the server has not heard of one lease: a report without an
// answer, and what came after it, folded into one.
type pending struct {
	sent *stage.Report
	rest *stage.Outcome
	// number is that of the last report that was cut.
	number int64
	// weight is the share of traffic that a tick told last.
	weight float64
}

const (
	// mostBytes and mostLines keep a report below what a server takes in.
	mostBytes = 256 << 10
	mostLines = 200
	// mostUnsaid bounds the samples kept while cut off: two hours at one a second.
	mostUnsaid = 7200
)

func (p *pending) add(o stage.Outcome) {
	now := time.Now()
	for i := range o.Lines {
		o.Lines[i].At = now
	}
	if o.Progress != nil {
		p.weight = o.Progress.Weight
	}
	if before := p.rest; before != nil {
		o.Lines = append(before.Lines, o.Lines...)
		o.Points = append(before.Points, o.Points...)
		o.Exposed = o.Exposed || before.Exposed
		if o.State == nil {
			o.State = before.State
		}
		if o.Progress == nil {
			o.Progress = before.Progress
		}
	}
	o.Points = o.Points[max(0, len(o.Points)-mostUnsaid):]
	p.rest = &o
}

// cut takes the next report out of the rest: all of it, or samples and lines first
// where there are too many.
func (p *pending) cut() (number int64, out stage.Outcome) {
	p.number++
	out = *p.rest
	points, lines := fitting(out.Points), min(len(out.Lines), mostLines)
	if points == len(out.Points) && lines == len(out.Lines) {
		p.rest = nil
		return p.number, out
	}
	p.rest.Points, p.rest.Lines = out.Points[points:], out.Lines[lines:]
	return p.number, stage.Outcome{
		Status: stage.Continue, Asks: out.Asks, Exposed: out.Exposed, Points: out.Points[:points], Lines: out.Lines[:lines],
	}
}

// fitting is how many of the points fit into one report; at least one.
func fitting(points []stage.Point) int {
	bytes := 0
	for i, p := range points {
		text, err := json.Marshal(p)
		if bytes += len(text); err == nil && bytes > mostBytes {
			return max(1, i)
		}
	}
	return len(points)
}

// lighten leaves the samples and lines out of a report that the server refused, and
// says so in a line; false where that was done already.
func (p *pending) lighten(refusal error) bool {
	out := &p.sent.Outcome
	if len(out.Points) == 0 && len(out.Lines) <= 1 {
		return false
	}
	text := fmt.Sprintf("%d samples and %d lines of the worker were refused and are missing: %s.", len(out.Points), len(out.Lines), fault.MessageOf(refusal))
	out.Points, out.Lines = nil, []stage.Line{{Kind: "report.refused", Text: text}}
	return true
}

// ends tells whether the task's ending is among what is unsaid.
func (p *pending) ends() bool {
	return p.sent != nil && p.sent.Outcome.Status != stage.Continue || p.rest != nil && p.rest.Status != stage.Continue
}
