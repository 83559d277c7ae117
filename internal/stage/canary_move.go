package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// crashed takes the traffic back when no instance of the canary answers any more.
func (t *canaryTick) crashed(ctx context.Context) (Outcome, bool, error) {
	why := t.m.lightless(t.task, t.s, t.m.stable(), t.Now())
	if why == "" {
		return Outcome{}, false, nil
	}
	out, err := t.takeBack(ctx, why)
	return out, true, err
}

// deleted says that the task's revision is not on the target any more; nothing while it is.
// Whatever traffic it has goes to nobody.
func deleted(task Task, s platform.State) string {
	if _, there := s.Revision(task.Revision.ID); there {
		return ""
	}
	return name(task) + " is not on the target any more: somebody has deleted it"
}

// gone takes the traffic back from a canary that somebody has deleted, whoever else has
// changed the weights. A drill shows nothing then.
func (t *canaryTick) gone(ctx context.Context) (Outcome, bool, error) {
	why := deleted(t.task, t.s)
	if why == "" || t.m.Weight == 0 && !t.m.Admitted {
		return Outcome{}, false, nil
	}
	t.m.Missed = t.task.Drill != nil
	out, err := t.takeBack(ctx, why)
	return out, true, err
}

// untold is why a canary or a watch fails whose traffic is back already.
const untold = "its traffic was taken back by a worker that ended before it could say why"

// takenBack tells that the canary has less traffic than it was given, and less than it was to
// be given next: it was taken back, as far as stable could bear it, and the report of that was
// lost. Who decides anew may, with other numbers, not come to the same end; but the decision
// has been made. Where another writer has set the weights, a person has been asked.
func (t *canaryTick) takenBack() bool {
	return t.s.Foreign == "" && t.m.Weight > 0 && shareOf(t.s, t.task.Revision.ID) < min(t.m.Weight, t.m.Want)-aMillionth
}

// takeBack gives stable all the traffic at once; the undoing of the stage does the rest.
func (t *canaryTick) takeBack(ctx context.Context, reason string) (Outcome, error) {
	decided := t.Now()
	if err := t.dismiss(ctx); err != nil {
		return Outcome{}, err
	}
	share, err := shiftToStable(ctx, t.p, t.task, t.s, t.m.footing)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{
		Status: Failed, State: remember(t.left()), Reason: reason, Exposed: t.m.Weight > 0,
		Progress: &Progress{Now: "Taken back: " + reason},
		Lines:    append([]Line{backLine("canary.back", t.task, share, t.Now().Sub(decided))}, t.drilled(reason)...),
	}, nil
}

// grow brings the capacity for the wanted weight and then routes it. Who goes back a step
// keeps its capacity until it has.
func (t *canaryTick) grow(ctx context.Context) (Outcome, error) {
	want := t.capacity(max(t.m.Want, t.m.Weight))
	st, err := place(ctx, t.p, t.task, t.s, t.task.Revision, want)
	if err != nil {
		return Outcome{}, err
	}
	if st.Ready < want.Instances && st.Failed == "" {
		out := next(t.m, readyInterval, &Progress{Now: waiting(st, want), Next: "Then it gets " + percent(t.m.Want) + " of the traffic.", Weight: t.m.Weight})
		out.Exposed, out.Asks = t.m.Weight > 0, t.m.Asks
		return out, nil
	}
	if st.Failed != "" && st.Ready < want.Instances {
		return t.takeBack(ctx, st.Failed)
	}
	if !t.stableReady() && t.task.Drill != nil {
		t.m.Missed = true
		return t.takeBack(ctx, "the running version has no ready instance, which is no time for a drill")
	}
	if !t.stableReady() {
		return t.stableDown(), nil
	}
	was := t.m.Weight
	if err := t.p.Route(ctx, t.task.Lease(), t.task.Target(), split(t.task.Revision.ID, t.m.Want, t.m.stable())); err != nil {
		return Outcome{}, err
	}
	t.m.Weight = t.m.Want
	text := fmt.Sprintf("%s has %s of the traffic in %s, after %s.", name(t.task), percent(t.m.Weight), t.task.place(), percent(was))
	out := next(t.m, 0, nil, weightLine("canary.weight", t.m.Weight, text))
	out.Exposed, out.Asks = true, t.m.Asks
	return out, nil
}

func (t *canaryTick) stableReady() bool {
	now, placed := t.s.Revision(t.m.stable())
	return placed && now.Ready() > 0
}

// stableDown is a canary whose stable arm cannot serve: there is nothing to compare
// with, and nowhere to go back to. A person may give the new version everything.
func (t *canaryTick) stableDown() Outcome {
	t.m.Asks = "The running version has no ready instance, so there is nothing to compare with. Give the new version all the traffic?"
	if t.task.Decision == "promote" && t.task.Hold == "" {
		t.m.Phase, t.m.Asks, t.m.Decided = filling, "", "a person decided so while the running version was down"
	}
	out := next(t.m, time.Second, &Progress{Now: "The running version has no ready instance.", Next: "A person decides.", Weight: t.m.Weight})
	out.Asks, out.Exposed = t.m.Asks, t.m.Weight > 0
	return out
}

// fill brings the revision to full capacity and gives it all but the holdback.
func (t *canaryTick) fill(ctx context.Context) (Outcome, error) {
	want := t.full()
	st, err := place(ctx, t.p, t.task, t.s, t.task.Revision, want)
	switch {
	case err != nil:
		return Outcome{}, err
	case st.Failed != "":
		return t.takeBack(ctx, st.Failed)
	case st.Ready < want.Instances || t.task.Hold != "":
		now := waiting(st, want)
		if t.task.Hold != "" {
			now = "Held: " + t.task.Hold + "."
		}
		out := next(t.m, readyInterval, &Progress{Now: now, Weight: t.m.Weight})
		out.Exposed = true
		return out, nil
	}
	share := t.m.Weight
	if h := t.task.Stage.Canary.Holdback; h > 0 {
		share = max(share, t.m.Sizing.Possible.AtMost(1-h))
	}
	if !t.stableReady() {
		share = 1
	}
	if share != t.m.Weight {
		if err := t.p.Route(ctx, t.task.Lease(), t.task.Target(), split(t.task.Revision.ID, share, t.m.stable())); err != nil {
			return Outcome{}, err
		}
	}
	t.m.Weight = share
	reason := "it is not worse than the running version"
	if t.m.Decided != "" {
		reason = t.m.Decided
	}
	out := t.pass(reason)
	out.Lines = []Line{weightLine("canary.weight", share, fmt.Sprintf("%s has %s of the traffic in %s.", name(t.task), percent(share), t.task.place()))}
	return out, nil
}
