package stage

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// watch judges on after the pass, over the bake time, with the holdback on the
// untouched stable revision as control.
type watch struct{ Deps }

type watchMemory struct {
	footing
	trial
	Weight float64 `json:"weight,omitempty"`
}

func (e *watch) Tick(ctx context.Context, task Task) (Outcome, error) {
	if task.Undo {
		return Outcome{Status: Passed}, nil // looking leaves nothing to undo
	}
	p, err := e.Platform(task.Platform)
	if err != nil {
		return Outcome{}, err
	}
	var m watchMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	s, err := p.Observe(ctx, task.Target())
	if err != nil {
		return Outcome{}, err
	}
	m.note(task, s)
	if m.Previous == nil {
		return Outcome{Status: Passed, State: remember(m.footing), Reason: "there is no other version to compare it with"}, nil
	}
	src, err := e.Source(task.Metrics)
	if err != nil {
		return Outcome{}, err
	}
	m.Weight = shareOf(s, task.Revision.ID)
	ask := e.ask(task, m)
	if m.Judge == nil {
		set := forecast.WatchSettings(task.Stage.Watch, task.FalseAlarm)
		calibration, ok := handedOn(task)
		if !ok {
			calibration = calibrate(ctx, src, ask, set, task.ExpectedRate)
		}
		m.Judge, m.Began = judge.New(set, calibration, e.Now()), e.Now()
	}
	verdict, points, err := m.trial.look(ctx, src, ask)
	if err != nil {
		return Outcome{}, err
	}
	out, err := e.act(ctx, p, task, s, m, verdict)
	out.Points = points
	out.Exposed = m.Weight > 0
	return out, err
}

func (e *watch) ask(task Task, m watchMemory) metric.Ask {
	a := metric.Ask{
		Service: task.Service, Environment: task.Environment, Region: task.Region,
		Stable: m.stable(), Canary: task.Revision.ID, Weight: m.Weight, WarmUp: warmUp, Now: e.Now(),
	}
	if w := task.Stage.Watch.WarmUp; w > 0 {
		a.WarmUp = w.Std()
	}
	return a
}

// handedOn is the calibration that the canary left: what it learned of the service
// holds for the watch too; the weight of evidence does not.
func handedOn(task Task) (judge.Calibration, bool) {
	for _, memory := range task.Memories {
		var m struct {
			Calibration *judge.Calibration `json:"calibration"`
		}
		if json.Unmarshal(memory, &m) == nil && m.Calibration != nil {
			return *m.Calibration, true
		}
	}
	return judge.Calibration{}, false
}

// act does what the verdict says.
func (e *watch) act(ctx context.Context, p platform.Platform, task Task, s platform.State, m watchMemory, v judge.Verdict) (Outcome, error) {
	takeBack := func(reason string) (Outcome, error) {
		decided := e.Now()
		if s.Weights[m.stable()] < platform.Whole {
			if err := p.Route(ctx, task.Lease(), task.Target(), split(m.stable(), 1, "")); err != nil {
				return Outcome{}, err
			}
		}
		return Outcome{
			Status: Failed, State: remember(m.footing), Reason: reason,
			Lines:    []Line{verdictLine("watch.verdict", v), backLine("watch.back", task, e.Now().Sub(decided))},
			Progress: &Progress{Now: "Taken back: " + reason, Verdict: &v},
		}, nil
	}
	pass := func(reason string) Outcome {
		return Outcome{
			Status: Passed, State: remember(m.footing), Reason: reason, Lines: []Line{verdictLine("watch.verdict", v)},
			Progress: &Progress{Now: "Passed: " + reason + ".", Weight: m.Weight, Verdict: &v},
		}
	}
	late := v.Reason == judge.NoEvidence && e.Now().Sub(m.Began) >= task.Stage.Watch.For.Std()
	byRule := v.Reason == judge.Undecided && !v.ForPerson && task.OnUndecided == pipeline.UndecidedPromote
	switch {
	case v.Kind == judge.Fail:
		return takeBack(v.Sentence())
	case v.Kind == judge.Pass && task.Hold == "":
		return pass("no harm showed in " + task.Stage.Watch.For.String()), nil
	case task.Decision == "promote" && task.Hold == "":
		return pass("a person decided to go on"), nil
	case byRule && task.Hold == "":
		return pass("the environment promotes what is undecided"), nil
	case v.Reason == judge.Undecided && task.OnUndecided == pipeline.UndecidedRollback:
		return takeBack("the environment takes back what is undecided: " + v.Sentence())
	}
	m.Asks = ""
	// What a person or the rule has decided may have to wait, and is not asked again.
	if (v.Reason == judge.Undecided || late) && task.Decision != "promote" && !byRule {
		m.Asks = "Go on without proof, or roll back? " + v.Sentence()
	}
	lines := m.tell("watch.verdict", v)
	progress := &Progress{
		Now:    fmt.Sprintf("Watching %s at %s of the traffic. %s", name(task), percent(m.Weight), v.Sentence()),
		Next:   "When the watch is over it becomes the home.",
		NextAt: m.Began.Add(task.Stage.Watch.For.Std()), Weight: m.Weight, Verdict: &v,
	}
	out := next(m, sampleInterval(task.Metrics), progress, lines...)
	out.Asks = m.Asks
	return out, nil
}
