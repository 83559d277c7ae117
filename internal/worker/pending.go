package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// pending is what the server has not heard of one lease: a report without an answer, and
// what came after it, folded into one.
type pending struct {
	sent *stage.Report
	rest *stage.Outcome
	// number is that of the last report that was cut.
	number int64
	// last is what came of the ticks up to now, as far as the server keeps it.
	last *stage.Outcome
	// weight is the share of traffic that a tick told last.
	weight float64
	// known is the state that the server has, and saying the one that sent brings it to.
	known, saying json.RawMessage
}

const (
	// mostBytes and mostLines keep a report below what a server takes in.
	mostBytes = 256 << 10
	mostLines = 200
	// mostUnsaid and mostUnsaidLines bound what is kept while cut off: samples of two hours
	// at one a second, and lines, of which a stage tells a few.
	mostUnsaid      = 7200
	mostUnsaidLines = 5000
)

func (p *pending) any() bool { return p.sent != nil || p.rest != nil }

// nothingNew tells whether the server knows what came of a tick: it has heard everything, and
// nothing has changed since.
func (p *pending) nothingNew(o stage.Outcome) bool {
	return !p.any() && p.last != nil && o.Status == stage.Continue && len(o.Lines) == 0 && len(o.Points) == 0 &&
		o.Asks == p.last.Asks && (p.last.Exposed || !o.Exposed) &&
		(o.State == nil || bytes.Equal(o.State, p.last.State)) &&
		(o.Progress == nil || reflect.DeepEqual(o.Progress, p.last.Progress))
}

// add adds what came of a tick, and returns it with the time at its lines.
func (p *pending) add(o stage.Outcome, now time.Time) stage.Outcome {
	for i := range o.Lines {
		if o.Lines[i].At.IsZero() {
			o.Lines[i].At = now
		}
	}
	p.fold(o)
	return o
}

// fold adds an outcome whose lines have their time.
func (p *pending) fold(o stage.Outcome) {
	p.remember(o)
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
	o.Lines = o.Lines[max(0, len(o.Lines)-mostUnsaidLines):]
	p.rest = &o
}

// remember keeps of an outcome what the server keeps.
func (p *pending) remember(o stage.Outcome) {
	if o.Progress != nil {
		p.weight = o.Progress.Weight
	}
	last := stage.Outcome{State: o.State, Progress: o.Progress, Exposed: o.Exposed, Asks: o.Asks}
	if before := p.last; before != nil {
		last.Exposed = last.Exposed || before.Exposed
		if last.State == nil {
			last.State = before.State
		}
		if last.Progress == nil {
			last.Progress = before.Progress
		}
	}
	p.last = &last
}

// cut takes the next report out of the rest: all of it, or samples and lines first where
// there are too many.
func (p *pending) cut(report *stage.Report) {
	p.number++
	out := *p.rest
	points, lines := fitting(out.Points), min(len(out.Lines), mostLines)
	if points == len(out.Points) && lines == len(out.Lines) {
		p.rest = nil
	} else {
		p.rest.Points, p.rest.Lines = out.Points[points:], out.Lines[lines:]
		out = stage.Outcome{
			Status: stage.Continue, Asks: out.Asks, Exposed: out.Exposed, Points: out.Points[:points], Lines: out.Lines[:lines],
		}
	}
	p.saying = p.known
	if out.State != nil {
		p.saying = out.State
		if part, smaller := stage.PartOf(p.known, out.State); smaller {
			out.State, report.Part = part, true
		}
	}
	report.Number, report.Outcome = p.number, out
	p.sent = report
}

// heard notes that the server has taken in what was sent.
func (p *pending) heard() { p.sent, p.known = nil, p.saying }

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

// full tells that no more is kept: what comes next drives out the oldest of the rest.
func (p *pending) full() bool {
	return p.rest != nil && (len(p.rest.Points) >= mostUnsaid || len(p.rest.Lines) >= mostUnsaidLines)
}

// lighten leaves the samples and lines out of a report that the server refused, and
// says so in a line; false where that was done already.
func (p *pending) lighten(refusal error) bool {
	if p.sent == nil {
		return false
	}
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

// failed tells whether the ending is that the stage has failed.
func (p *pending) failed() bool {
	return p.sent != nil && p.sent.Outcome.Status == stage.Failed || p.rest != nil && p.rest.Status == stage.Failed
}
