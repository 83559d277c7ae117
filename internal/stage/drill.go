package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/platform"
)

// A drill is a canary that must be taken back in the end. It fails when it was
// noticed, as a bad release does; one that would have passed, or came to no verdict,
// fails too, and is told as not noticed.

// unfit ends a drill that cannot be held here, before anything is placed.
func (t *canaryTick) unfit() (Outcome, bool) {
	if t.task.Drill == nil || t.m.Phase != placing {
		return Outcome{}, false
	}
	why := ""
	switch harm := t.task.Revision.Fault; {
	case t.m.Mine || t.m.Previous == nil:
		why = "nothing else is at home here that a drill could stand beside"
	case !t.Now().Before(t.task.Drill.Until):
		why = "its time was over before it could begin"
	case harm != nil:
		why = injectable(t.p, t.task.Platform, *harm)
	}
	if why == "" {
		return Outcome{}, false
	}
	return Outcome{Status: Failed, State: remember(t.m), Reason: "the drill cannot be held: " + why}, true
}

// injectable says why the platform cannot do the harm, or nothing.
func injectable(p platform.Platform, name string, harm platform.Fault) string {
	i, ok := p.(platform.Injector)
	if !ok {
		return fmt.Sprintf("the platform %s cannot put a fault into traffic; give it a bad artifact instead", name)
	}
	if err := i.Injects(harm); err != nil {
		return fault.MessageOf(err)
	}
	return ""
}

// drill does what the verdict says to a drill that has not been noticed.
func (t *canaryTick) drill(ctx context.Context, v judge.Verdict, lines []Line) (Outcome, error) {
	why := ""
	switch {
	case v.Kind == judge.Pass:
		why = "it would have passed: " + v.Sentence()
	case t.Now().Sub(t.m.Began) >= t.observation():
		why = "the observation ended without a verdict: " + v.Sentence()
	case !t.Now().Before(t.task.Drill.Until):
		why = "its time was over without a verdict: " + v.Sentence()
	}
	if why == "" && t.takenBack() {
		return t.takeBack(ctx, untold)
	}
	if why == "" {
		return t.continued(v, lines), nil
	}
	t.m.Missed = true
	out, err := t.takeBack(ctx, "the drill was not noticed: "+why)
	if err != nil {
		return out, err
	}
	out.Lines = append(lines, out.Lines...)
	out.Progress.Verdict = &v
	return out, nil
}

// Drilled is what a drill has shown; it stands in the ledger's line about it.
type Drilled struct {
	Noticed bool `json:"noticed"`
	// Seconds is how long it had traffic, Requests how many requests of users it got
	// and Errors how many of them failed; Extra how many were bad beyond the running
	// version's usual rate, by the metric with the most.
	Seconds  float64 `json:"seconds"`
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Extra    float64 `json:"extra"`
}

// drilled tells the end of a drill; nothing where it is none.
func (t *canaryTick) drilled(reason string) []Line {
	if t.task.Drill == nil {
		return nil
	}
	d := Drilled{Noticed: !t.m.Missed}
	if t.m.Judge != nil && t.m.Weight > 0 {
		d.Seconds = t.Now().Sub(t.m.Began).Seconds()
		for _, m := range t.m.Judge.Verdict(t.Now()).Metrics {
			if m.Bound == 0 && m.Kind == "" {
				d.Requests, d.Errors = m.Canary.Requests, m.Canary.Bad
			}
			d.Extra = max(d.Extra, m.Extra)
		}
	}
	took := time.Duration(d.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
	line := Line{
		Kind: "drill.noticed", Data: plain(d),
		Text: fmt.Sprintf("The drill in %s was noticed after %s, with %d failed requests of users: %s", t.task.place(), took, d.Errors, reason),
	}
	if !d.Noticed {
		line.Kind = "drill.missed"
		line.Text = fmt.Sprintf("The drill in %s was not noticed within %s, with %d failed requests of users.", t.task.place(), took, d.Errors)
	}
	return []Line{line}
}
