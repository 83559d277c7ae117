package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
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
	// Ends is when the watch is over, if all goes well.
	Ends time.Time `json:"ends,omitzero"`
}

func (e *watch) Tick(ctx context.Context, task Task) (Outcome, error) {
	if task.Undo {
		return Outcome{Status: Passed}, nil // looking leaves nothing to undo
	}
	p, err := e.Platform(task.Platform, task.Settings)
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
	m.Weight = shareOf(s, task.Revision.ID)
	if why := deleted(task, s); why != "" {
		return e.takeBack(ctx, p, task, s, m, why)
	}
	src, err := e.Source(task.Metrics)
	if err != nil {
		return Outcome{}, err
	}
	ask := m.ask(task, s, task.Stage.Watch.Analysis, m.Weight, e.Now())
	var opening []Line
	if m.Judge == nil {
		m.Began = e.Now()
		handed := handedOn(task)
		set := forecast.WatchSettings(task.Stage.Watch, task.FalseAlarm)
		age := time.Duration(0)
		if !handed.Began.IsZero() {
			age = m.Began.Sub(handed.Began)
		}
		set.Watch = max(set.Watch, task.Stage.Watch.MinimumAge.Std()-age)
		if handed.Calibration == nil {
			c := calibrate(ctx, src, ask, set, task.ExpectedRate)
			handed.Calibration = &c
		}
		m.Ends = m.Began.Add(set.Watch)
		opening = append(opening, m.open("watch.opening", task.Environment, judge.Opening{Settings: set, Calibration: *handed.Calibration, Start: m.Began}))
	}
	verdict, points, err := m.trial.look(ctx, src, ask)
	if err != nil {
		return Outcome{}, err
	}
	out, err := e.act(ctx, p, task, s, m, verdict)
	out.Points = points
	out.Lines = append(opening, out.Lines...)
	out.Exposed = m.Weight > 0
	return out, err
}

// handed is what the canary left: what it learned of the service holds for the
// watch too; the weight of evidence does not.
type handed struct {
	Calibration *judge.Calibration `json:"calibration"`
	// Began is when the revision had its first traffic.
	Began time.Time `json:"began"`
}

// handedOn takes the last canary's, where the environment has several.
func handedOn(task Task) handed {
	var last handed
	for _, memory := range task.Memories {
		var h handed
		if json.Unmarshal(memory, &h) == nil && h.Calibration != nil && !h.Began.Before(last.Began) {
			last = h
		}
	}
	return last
}

// act does what the verdict says.
func (e *watch) act(ctx context.Context, p platform.Platform, task Task, s platform.State, m watchMemory, v judge.Verdict) (Outcome, error) {
	takeBack := func(reason string) (Outcome, error) {
		out, err := e.takeBack(ctx, p, task, s, m, reason)
		if err == nil {
			out.Lines, out.Progress.Verdict = append([]Line{m.line("watch.verdict", v)}, out.Lines...), &v
		}
		return out, err
	}
	pass := func(reason string) Outcome {
		return Outcome{
			Status: Passed, State: remember(m.footing), Reason: reason, Lines: []Line{m.line("watch.verdict", v)},
			Progress: &Progress{Now: "Passed: " + reason + ".", Weight: m.Weight, Verdict: &v},
		}
	}
	lightless := m.lightless(task, s, m.stable(), e.Now())
	late := v.Reason == judge.NoEvidence && !e.Now().Before(m.Ends)
	byRule := v.Reason == judge.Undecided && !v.ForPerson && task.OnUndecided == pipeline.UndecidedPromote
	switch {
	case v.Kind == judge.Fail:
		return takeBack(v.Sentence())
	case lightless != "":
		return takeBack(lightless)
	case m.Weight == 0 && s.Foreign == "":
		return takeBack(untold)
	case contested(task, s):
		out := waitContested(m, m.pace(sampleInterval(task.Metrics)), task, s)
		out.Lines = m.tell("watch.verdict", v)
		return out, nil
	case v.Kind == judge.Pass && task.Hold == "":
		return pass("no harm showed in " + pipeline.Duration(m.Ends.Sub(m.Began).Round(time.Second)).String()), nil
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
		NextAt: m.Ends, Weight: m.Weight, Verdict: &v,
	}
	out := next(m, m.pace(sampleInterval(task.Metrics)), progress, lines...)
	out.Asks = m.Asks
	return out, nil
}

// takeBack gives stable all the traffic at once; the undoing of the stage before does the rest.
func (e *watch) takeBack(ctx context.Context, p platform.Platform, task Task, s platform.State, m watchMemory, reason string) (Outcome, error) {
	decided := e.Now()
	share, err := shiftToStable(ctx, p, task, s, m.footing)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{
		Status: Failed, State: remember(m.footing), Reason: reason, Exposed: m.Weight > 0,
		Lines:    []Line{backLine("watch.back", task, share, e.Now().Sub(decided))},
		Progress: &Progress{Now: "Taken back: " + reason},
	}, nil
}
