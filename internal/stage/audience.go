package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// show gives the audience the revision for its time, and then goes on to the first weight.
// What it does with it is not judged: who asks for something new is no random sample, and
// by the first sample of the judge the audience has it no longer.
func (t *canaryTick) show(ctx context.Context) (Outcome, error) {
	a := t.task.Stage.Canary.Audience
	p, ok := t.p.(platform.Admitter)
	if !ok {
		return Outcome{Status: Failed, State: remember(t.m), Reason: "the platform " + t.task.Platform + " cannot choose requests for an audience"}, nil
	}
	if !t.m.Admitted && t.task.Hold != "" {
		return next(t.m, readyInterval, &Progress{Now: "Ready, and held: " + t.task.Hold + "."}), nil
	}
	if !t.m.Admitted {
		match := platform.Match{Header: a.Header, Cookie: a.Cookie, Value: a.Value}
		if err := p.Admit(ctx, t.task.Lease(), t.task.Target(), t.task.Revision.ID, match); err != nil {
			return Outcome{}, err
		}
		t.m.Admitted, t.m.Began = true, t.Now()
		out := next(t.m, 0, nil, Line{Kind: "canary.audience", Text: fmt.Sprintf("Requests with %s get %s in %s.", a, name(t.task), t.task.place())})
		out.Exposed = true
		return out, nil
	}
	if out, crashed, err := t.crashed(ctx); crashed || err != nil {
		return out, err
	}
	ends := t.m.Began.Add(a.For.Std())
	if wait := ends.Sub(t.Now()); t.task.Hold != "" || wait > 0 {
		now := fmt.Sprintf("Requests with %s get %s; it is not judged meanwhile.", a, name(t.task))
		if t.task.Hold != "" {
			now += " Held: " + t.task.Hold + "."
		}
		out := next(t.m, min(max(wait, readyInterval), time.Second), &Progress{Now: now, Next: "Then it gets the first part of all requests.", NextAt: ends})
		out.Exposed = true
		return out, nil
	}
	if err := t.dismiss(ctx); err != nil {
		return Outcome{}, err
	}
	t.m.Phase, t.m.Shown = placing, true
	out := next(t.m, 0, nil)
	out.Exposed = true
	return out, nil
}

// dismiss ends what the audience has more than others.
func (t *canaryTick) dismiss(ctx context.Context) error {
	p, ok := t.p.(platform.Admitter)
	if !ok || !t.m.Admitted {
		return nil
	}
	if err := p.Admit(ctx, t.task.Lease(), t.task.Target(), t.task.Revision.ID, platform.Match{}); err != nil {
		return err
	}
	t.m.Admitted = false
	return nil
}
