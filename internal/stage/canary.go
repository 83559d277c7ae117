package stage

import (
	"context"
	"math"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/platform"
)

// canary moves the traffic level by level under the judge: it places the new
// revision beside the stable one, gives it as much traffic as the exposure budget
// allows, and looks at both arms. At a fail the traffic goes back at once; at a
// pass the revision gets full capacity and all the traffic but the holdback.
type canary struct{ Deps }

// phase is where a canary is.
type phase string

const (
	placing phase = "placing" // bringing the first instances up
	showing phase = "showing" // its audience has it, and nobody judges it
	judging phase = "judging"
	filling phase = "filling" // passed; bringing it to full capacity
)

type canaryMemory struct {
	footing
	trial
	Phase phase `json:"phase,omitempty"`
	// Admitted says that the audience has it; Shown that it has had its time.
	Admitted bool `json:"admitted,omitempty"`
	Shown    bool `json:"shown,omitempty"`
	// Weight is the share in force; Want the one that comes next, once there is capacity.
	Weight float64 `json:"weight,omitempty"`
	Want   float64 `json:"want,omitempty"`
	// Fresh says that the last tick has looked, so that this one may move traffic at once.
	Fresh bool `json:"fresh,omitempty"`
	// Decided says that a person, or the environment's rule, took the place of proof.
	Decided string `json:"decided,omitempty"`
	// Calibration is handed on to the watch.
	Calibration *judge.Calibration `json:"calibration,omitempty"`
	// Missed says that a drill ended without a verdict against it.
	Missed bool `json:"missed,omitempty"`
}

// canaryTick is one tick of a canary with what it works on.
type canaryTick struct {
	*canary
	p    platform.Platform
	task Task
	s    platform.State
	m    canaryMemory
	// seen are the samples of this tick.
	seen []Point
}

func (e *canary) Tick(ctx context.Context, task Task) (Outcome, error) {
	p, err := e.Platform(task.Platform, task.Settings)
	if err != nil {
		return Outcome{}, err
	}
	t := &canaryTick{canary: e, p: p, task: task}
	if err := recall(task, &t.m); err != nil {
		return Outcome{}, err
	}
	if t.s, err = p.Observe(ctx, task.Target()); err != nil {
		return Outcome{}, err
	}
	if !t.m.Known {
		t.m.note(task, t.s)
		t.m.Phase, t.m.Began = placing, e.Now()
		return next(t.m, 0, &Progress{Now: "Placing " + name(task) + " beside the running version."}), nil
	}
	out, err := t.step(ctx)
	out.Points = t.seen
	return out, err
}

func (t *canaryTick) step(ctx context.Context) (Outcome, error) {
	if out, refused := t.unfit(); refused {
		return out, nil
	}
	if out, gone, err := t.gone(ctx); gone || err != nil {
		return out, err
	}
	switch {
	case contested(t.task, t.s) && t.m.Weight > 0:
		return t.contested(ctx)
	case t.m.Mine:
		return t.pass(name(t.task) + " is already at home"), nil
	case t.m.Previous == nil:
		return t.first(ctx)
	case t.m.Phase == placing:
		return t.place(ctx)
	case t.m.Phase == showing:
		return t.show(ctx)
	case t.m.Phase == judging:
		return t.judge(ctx)
	}
	if out, ended, err := t.lookOn(ctx); ended || err != nil {
		return out, err
	}
	if t.takenBack() {
		return t.takeBack(ctx, untold)
	}
	return t.fill(ctx)
}

// first brings up a service that has nothing to be compared with.
func (t *canaryTick) first(ctx context.Context) (Outcome, error) {
	want := t.full()
	st, err := place(ctx, t.p, t.task, t.s, t.task.Revision, want)
	switch {
	case err != nil:
		return Outcome{}, err
	case st.Failed != "":
		return t.notReady(st), nil
	case st.Ready < want.Instances:
		return next(t.m, readyInterval, &Progress{Now: waiting(st, want), Next: "It is the first release here: there is nothing to compare it with."}), nil
	case t.task.Hold != "":
		return next(t.m, readyInterval, &Progress{Now: "Ready, and held: " + t.task.Hold + "."}), nil
	}
	if err := t.p.Route(ctx, t.task.Lease(), t.task.Target(), split(t.task.Revision.ID, 1, "")); err != nil {
		return Outcome{}, err
	}
	return t.pass("it is the first release here, so there was nothing to compare it with"), nil
}

func (t *canaryTick) full() platform.Capacity { return t.m.full(t.task, t.s) }

func (t *canaryTick) notReady(st standing) Outcome {
	reason := name(t.task) + " did not become ready: " + st.Failed
	return Outcome{Status: Failed, State: remember(t.m), Reason: reason, Lines: t.drilled(reason)}
}

// place brings the first instances up and begins the comparison.
func (t *canaryTick) place(ctx context.Context) (Outcome, error) {
	want := t.capacity(0)
	st, err := place(ctx, t.p, t.task, t.s, t.task.Revision, want)
	switch {
	case err != nil:
		return Outcome{}, err
	case st.Failed != "":
		return t.notReady(st), nil
	case st.Ready < want.Instances:
		return next(t.m, readyInterval, &Progress{Now: waiting(st, want), Next: "Then it gets the first traffic."}), nil
	case t.task.Hold != "":
		return next(t.m, readyInterval, &Progress{Now: "Ready, and held: " + t.task.Hold + "."}), nil
	case t.task.Stage.Canary.Audience != nil && t.task.Drill == nil && !t.m.Shown:
		t.m.Phase = showing
		return next(t.m, 0, nil), nil
	}
	src, err := t.Source(t.task.Metrics)
	if fault.CodeOf(err) == fault.Invalid {
		return Outcome{Status: Failed, State: remember(t.m), Reason: "its metrics cannot be read: " + fault.MessageWithHint(err)}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	possible, err := t.possible(ctx)
	if err != nil {
		return Outcome{}, err
	}
	set := forecast.CanarySettings(t.task.Stage.Canary, t.task.FalseAlarm).Among(possible)
	now := t.Now()
	calibration := calibrate(ctx, src, t.ask(0), set, t.task.ExpectedRate)
	calibration.ColdStart = t.task.Experience.ColdStart
	lines := []Line{t.m.open("canary.opening", t.task.Environment, judge.Opening{Settings: set, Calibration: calibration, Start: now})}
	t.m.Sizing = judge.NewSizing(set, calibration, now)
	if first := t.m.Sizing.Among(possible); first.Warning {
		lines = append(lines, coarseLine(t.task, first))
	}
	t.m.Phase, t.m.Began, t.m.Want = judging, now, t.m.Sizing.Weight
	return next(t.m, 0, nil, lines...), nil
}

// capacity is how many instances bear the weight: all, because the noise of single
// instances evens out and they are warm when the traffic comes; or, where the plan
// starts with fewer, those and as many as are in proportion to the traffic.
func (t *canaryTick) capacity(weight float64) platform.Capacity {
	all := t.full().Instances
	least := all
	if n := t.task.Stage.Canary.Instances; n > 0 {
		least = min(n, all)
	}
	return platform.Capacity{Instances: max(least, int(math.Ceil(weight*float64(all))))}
}

func (t *canaryTick) pass(reason string) Outcome {
	return Outcome{
		Status: Passed, State: remember(t.left()), Exposed: true, Reason: reason,
		Progress: &Progress{Now: "Passed: " + reason + ".", Weight: t.m.Weight},
	}
}

// left is what stays of the memory: what a later stage or the undoing needs.
func (t *canaryTick) left() canaryMemory {
	left := canaryMemory{footing: t.m.footing, Weight: t.m.Weight, Decided: t.m.Decided}
	left.Began = t.m.Began
	if t.m.Judge != nil {
		c := t.m.Judge.Calibration()
		left.Calibration = &c
	}
	return left
}

func (t *canaryTick) ask(weight float64) metric.Ask {
	return t.m.ask(t.task, t.s, t.task.Stage.Canary.Analysis, weight, t.Now())
}
