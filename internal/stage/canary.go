package stage

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
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
	if out, back, err := t.lookOn(ctx); back || err != nil {
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
		return Outcome{Status: Failed, State: remember(t.m), Reason: "its metrics cannot be read: " + fault.MessageOf(err)}, nil
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

func (t *canaryTick) ask(weight float64) metric.Ask {
	c := t.task.Stage.Canary
	a := metric.Ask{
		Service: t.task.Service, Environment: t.task.Environment, Region: t.task.Region,
		Stable: t.m.stable(), Canary: t.task.Revision.ID, Weight: weight, WarmUp: warmUp, Now: t.Now(),
		StableBackend: backendOf(t.s, t.m.stable()), CanaryBackend: backendOf(t.s, t.task.Revision.ID),
		StableInstances: readyOf(t.s, t.m.stable()), CanaryInstances: readyOf(t.s, t.task.Revision.ID),
	}
	a.Custom = customMetrics(c.Metrics)
	if c.WarmUp > 0 {
		a.WarmUp = c.WarmUp.Std()
	}
	return a
}

// judge takes a sample, folds it, and does what the verdict says.
func (t *canaryTick) judge(ctx context.Context) (Outcome, error) {
	if out, crashed, err := t.crashed(ctx); crashed || err != nil {
		return out, err
	}
	if t.m.Want != t.m.Weight && t.task.Hold == "" {
		if out, back, err := t.lookOn(ctx); back || err != nil {
			return out, err
		}
		if t.takenBack() {
			return t.takeBack(ctx, untold)
		}
		return t.grow(ctx)
	}
	verdict, err := t.look(ctx)
	if err != nil {
		return Outcome{}, err
	}
	out, err := t.act(ctx, verdict)
	out.Exposed = t.m.Weight > 0
	return out, err
}

func (t *canaryTick) look(ctx context.Context) (judge.Verdict, error) {
	src, err := t.Source(t.task.Metrics)
	if err != nil {
		return judge.Verdict{}, err
	}
	verdict, points, err := t.m.look(ctx, src, t.ask(t.m.Weight))
	t.seen = points
	return verdict, err
}

// lookOn judges while capacity comes up, or while the last step is held: whoever has
// traffic is looked at. back tells that the traffic was taken back.
func (t *canaryTick) lookOn(ctx context.Context) (out Outcome, back bool, err error) {
	if t.m.Weight == 0 || t.m.Judge == nil || t.Now().Sub(t.m.Looked) < sampleInterval(t.task.Metrics) {
		return Outcome{}, false, nil
	}
	if out, crashed, err := t.crashed(ctx); crashed || err != nil {
		return out, true, err
	}
	verdict, err := t.look(ctx)
	if err != nil || verdict.Kind != judge.Fail {
		return Outcome{}, false, err
	}
	out, err = t.act(ctx, verdict)
	return out, true, err
}

// crashed takes the traffic back when no instance of the canary is left.
func (t *canaryTick) crashed(ctx context.Context) (Outcome, bool, error) {
	why := allFailed(t.task, t.s)
	if why == "" {
		return Outcome{}, false, nil
	}
	out, err := t.takeBack(ctx, why)
	return out, true, err
}

// act does what the verdict says.
func (t *canaryTick) act(ctx context.Context, v judge.Verdict) (Outcome, error) {
	if v.Kind == judge.Fail {
		out, err := t.takeBack(ctx, v.Sentence())
		out.Lines = append([]Line{t.m.line("canary.verdict", v)}, out.Lines...)
		out.Progress.Verdict = &v
		return out, err
	}
	lines := t.m.tell("canary.verdict", v)
	if t.task.Drill != nil {
		return t.drill(ctx, v, lines)
	}
	if t.takenBack() {
		return t.takeBack(ctx, untold)
	}
	undecided := v.Reason == judge.Undecided || v.Reason == judge.NoEvidence && t.Now().Sub(t.m.Began) >= t.observation()
	switch {
	case v.Kind == judge.Pass:
		return t.passed(v, lines), nil
	case t.task.Decision == "promote" && t.task.Hold == "":
		t.m.Decided = "a person decided to go on"
		return t.passed(v, append(lines, t.m.line("canary.decided", v))), nil
	case undecided:
		return t.undecided(ctx, v, lines)
	}
	return t.continued(v, lines), nil
}

// continued goes on without a decision, with as much traffic as the budget allows.
func (t *canaryTick) continued(v judge.Verdict, lines []Line) Outcome {
	t.m.Asks = ""
	if t.task.Hold != "" {
		return t.goOn(v, lines, "Held: "+t.task.Hold+".")
	}
	if p := t.m.Sizing.Next(t.Now(), v); !p.Hold {
		t.m.Want = p.Weight
		return t.goOn(v, lines, p.Reason)
	}
	return t.goOn(v, lines, "")
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

func (t *canaryTick) observation() time.Duration {
	return forecast.CanarySettings(t.task.Stage.Canary, t.task.FalseAlarm).Observation
}

// passed goes on to full capacity, once nobody holds it.
func (t *canaryTick) passed(v judge.Verdict, lines []Line) Outcome {
	if t.task.Hold != "" {
		return t.goOn(v, lines, "Passed, and held: "+t.task.Hold+".")
	}
	t.m.Phase, t.m.Asks = filling, ""
	return t.goOn(v, lines, "Passed; it gets full capacity.")
}

// undecided is the end of the observation without proof: the environment's rule
// where both arms were sampled enough, or else a person. No evidence always asks.
func (t *canaryTick) undecided(ctx context.Context, v judge.Verdict, lines []Line) (Outcome, error) {
	decide := func(how string) (Outcome, error) {
		t.m.Decided = how
		lines = append(lines, t.m.line("canary.decided", v))
		return t.passed(v, lines), nil
	}
	byRule := v.Reason == judge.Undecided && !v.ForPerson && t.task.OnUndecided == pipeline.UndecidedPromote
	if (byRule || t.task.Decision == "promote") && t.task.Hold != "" {
		t.m.Asks = "" // the answer is known; it only has to wait
		return t.goOn(v, lines, "Held: "+t.task.Hold+"."), nil
	}
	switch {
	case byRule:
		return decide("there was no proof, and the environment promotes what is undecided")
	case v.Reason == judge.Undecided && t.task.OnUndecided == pipeline.UndecidedRollback:
		return t.takeBack(ctx, "there was no proof, and the environment takes back what is undecided: "+v.Sentence())
	}
	t.m.Asks = "Go on without proof, or roll back? " + v.Sentence()
	return t.goOn(v, lines, "Waiting for a person."), nil
}

// goOn ends a tick after which the comparison continues.
func (t *canaryTick) goOn(v judge.Verdict, lines []Line, why string) Outcome {
	now := fmt.Sprintf("%s has %s of the traffic. %s", name(t.task), percent(t.m.Weight), v.Sentence())
	p := &Progress{Now: now, Next: why, Weight: t.m.Weight, Verdict: &v}
	after := sampleInterval(t.task.Metrics)
	if t.m.Phase == filling || t.m.Want != t.m.Weight {
		after = 0
	}
	out := next(t.m, after, p, lines...)
	out.Asks = t.m.Asks
	out.Exposed = t.m.Weight > 0
	return out
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
	text := fmt.Sprintf("%s has %s of the traffic in %s, after %s.", name(t.task), percent(t.m.Weight), t.task.Environment, percent(was))
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
	out.Lines = []Line{weightLine("canary.weight", share, fmt.Sprintf("%s has %s of the traffic in %s.", name(t.task), percent(share), t.task.Environment))}
	return out, nil
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
