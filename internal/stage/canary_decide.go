package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// judge takes a sample, folds it, and does what the verdict says.
func (t *canaryTick) judge(ctx context.Context) (Outcome, error) {
	if out, crashed, err := t.crashed(ctx); crashed || err != nil {
		return out, err
	}
	if t.m.Want != t.m.Weight && t.task.Hold == "" {
		if out, ended, err := t.lookOn(ctx); ended || err != nil {
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
	t.seen, t.m.Fresh = points, err == nil
	return verdict, err
}

// freshFor is how long after a look, at most, traffic may be moved on by it.
const freshFor = time.Minute

// lookOn judges while capacity comes up, or while the last step is held: whoever has
// traffic is looked at. A source may take many seconds to answer, in which the worker may
// be cut off from its server unnoticed: a tick that has looked moves no more traffic to the
// canary, but leaves that to the next one. ended tells that the tick is over with out.
func (t *canaryTick) lookOn(ctx context.Context) (out Outcome, ended bool, err error) {
	if t.m.Weight == 0 || t.m.Judge == nil {
		return Outcome{}, false, nil
	}
	if out, crashed, err := t.crashed(ctx); crashed || err != nil {
		return out, true, err
	}
	interval, ago := sampleInterval(t.task.Metrics), t.Now().Sub(t.m.Looked)
	fresh := t.m.Fresh && ago < freshFor
	t.m.Fresh = false
	if fresh || ago < interval {
		return Outcome{}, false, nil
	}
	verdict, err := t.look(ctx)
	if err != nil {
		return Outcome{}, true, err
	}
	if verdict.Kind == judge.Fail {
		out, err = t.act(ctx, verdict)
		return out, true, err
	}
	out = next(t.m, 0, nil)
	out.Exposed, out.Asks = true, t.m.Asks
	return out, true, nil
}

// act does what the verdict says.
func (t *canaryTick) act(ctx context.Context, v judge.Verdict) (Outcome, error) {
	if v.Kind == judge.Fail {
		out, err := t.takeBack(ctx, v.Sentence())
		if err != nil {
			return Outcome{}, err
		}
		out.Lines = append([]Line{t.m.line("canary.verdict", v)}, out.Lines...)
		out.Progress.Verdict = &v
		return out, nil
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
	after := t.m.pace(sampleInterval(t.task.Metrics))
	if t.m.Phase == filling || t.m.Want != t.m.Weight {
		after = 0
	}
	out := next(t.m, after, p, lines...)
	out.Asks = t.m.Asks
	out.Exposed = t.m.Weight > 0
	return out
}
