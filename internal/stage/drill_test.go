package stage_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// drill is a task of a drill that lasts for a while.
func drill(w *world, lasts time.Duration) stage.Task {
	k := task(canaryStage())
	k.Drill = &pipeline.Drill{Of: "rel0", Until: w.now.Add(lasts)}
	return k
}

// held plays the drill to its end and returns what it told of it.
func (w *world) held(k stage.Task) (stage.Outcome, string, stage.Drilled) {
	w.t.Helper()
	done, out := w.play(k, never)
	var kind string
	var told stage.Drilled
	for _, l := range out.Lines {
		if strings.HasPrefix(l.Kind, "drill.") {
			kind = l.Kind
			w.must(json.Unmarshal(l.Data, &told))
		}
	}
	if out.Status != stage.Failed || w.home != old || w.weights[old] != platform.Whole {
		w.t.Fatalf("the drill ended %s (%s, asks %q) with %v at home %s", out.Status, out.Reason, out.Asks, w.weights, w.home)
	}
	for _, weights := range w.routed {
		if weights[fresh] == platform.Whole {
			w.t.Fatal("the drill had all the traffic")
		}
	}
	undo := k
	undo.State, undo.Undo, undo.Memories = nil, true, map[string]json.RawMessage{"canary": done.State}
	if _, out := w.play(undo, never); out.Status != stage.Passed {
		w.t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if _, there := w.placed[fresh]; there {
		w.t.Error("the drill's revision is still placed")
	}
	return out, kind, told
}

func TestADrillThatIsNoticedTellsHowSoonAndWhatItCost(t *testing.T) {
	w := newWorld(t, 21).withHome()
	w.errors = 0.06
	out, kind, told := w.held(drill(w, time.Hour))
	if kind != "drill.noticed" || !told.Noticed || told.Seconds <= 0 || told.Errors < 2 || told.Errors > told.Requests || !out.Exposed {
		t.Errorf("%s: %+v", kind, told)
	}
}

func TestADrillThatWouldPassIsTakenBackAndNotNoticed(t *testing.T) {
	w := newWorld(t, 22).withHome()
	out, kind, told := w.held(drill(w, time.Hour))
	if kind != "drill.missed" || told.Noticed || !strings.Contains(out.Reason, "not noticed: it would have passed") {
		t.Errorf("%s %+v: %s", kind, told, out.Reason)
	}
}

func TestADrillAsksNobodyAndGoesByNoRule(t *testing.T) {
	for _, rule := range []pipeline.OnUndecided{pipeline.UndecidedHold, pipeline.UndecidedPromote} {
		for _, decision := range []string{"", "promote"} {
			w := newWorld(t, 23).withHome()
			w.noMetrics = "the router does not answer"
			k := drill(w, time.Hour)
			k.OnUndecided, k.Decision = rule, decision
			if out, kind, _ := w.held(k); kind != "drill.missed" || !strings.Contains(out.Reason, "the router does not answer") {
				t.Errorf("%s, %q: %s, %s", rule, decision, kind, out.Reason)
			}
		}
	}
}

func TestADrillEndsWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t, 24).withHome()
	began := w.now
	if out, kind, _ := w.held(drill(w, 8*time.Second)); kind != "drill.missed" || !strings.Contains(out.Reason, "time was over") || w.now.Sub(began) > 30*time.Second {
		t.Errorf("after %s %s: %s", w.now.Sub(began), kind, out.Reason)
	}
}

func TestABadArtifactThatCannotStartIsADrillThatWasNoticed(t *testing.T) {
	w := newWorld(t, 25).withHome()
	w.dead = true
	_, kind, told := w.held(drill(w, time.Hour))
	if kind != "drill.noticed" || told.Requests != 0 || len(w.routed) != 0 {
		t.Errorf("%s: %+v after %v", kind, told, w.routed)
	}
}

func TestADrillThatCannotBeHeldPlacesNothing(t *testing.T) {
	harm := &platform.Fault{Errors: 0.05, Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	for name, change := range map[string]func(*world, *stage.Task){
		"nothing else is at home":                           func(w *world, _ *stage.Task) { w.home, w.weights = "", platform.Weights{} },
		"its time was over":                                 func(w *world, k *stage.Task) { k.Drill.Until = w.now },
		"the platform host cannot put a fault into traffic": func(_ *world, k *stage.Task) { k.Revision.Fault = harm },
	} {
		w := newWorld(t, 26).withHome()
		k := drill(w, time.Hour)
		change(w, &k)
		_, out := w.play(k, never)
		if _, there := w.placed[fresh]; out.Status != stage.Failed || !strings.Contains(out.Reason, name) || there {
			t.Errorf("%s: it ended %s (%s), placed %v", name, out.Status, out.Reason, there)
		}
	}
}

func TestAPausedDrillGoesBackAllTheSame(t *testing.T) {
	w := newWorld(t, 27).withHome()
	k := drill(w, 20*time.Second)
	e := w.executors()[pipeline.KindCanary]
	for range 200 {
		out, err := e.Tick(context.Background(), k)
		w.must(err)
		k.State = out.State
		if w.weights[fresh] > 0 {
			k.Hold = "paused by ben"
		}
		if out.Status != stage.Continue {
			if out.Status != stage.Failed || w.weights[old] != platform.Whole {
				t.Errorf("it ended %s with %v", out.Status, w.weights)
			}
			return
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	t.Error("a paused drill went on")
}

// harmful is a world that can do a revision harm.
type harmful struct{ *world }

func (harmful) Injects(platform.Fault) error { return nil }

// However often the worker dies after it acted and before it could report, and the
// server with it, a drill is told once, is not at home, and takes its fault along.
func TestADrillSurvivesKills(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.Uint64Range(1, 1000).Draw(rt, "seed")).withHome()
		bad := rapid.Bool().Draw(rt, "noticed")
		if bad {
			w.errors = 0.06
		}
		dies := func() bool { return rapid.IntRange(0, 3).Draw(rt, "dies") == 0 }
		k := drill(w, time.Hour)
		k.Revision.Fault = &platform.Fault{Errors: 0.06, Until: k.Drill.Until}
		e := stage.Executors(stage.Deps{
			Platform: func(string, json.RawMessage) (platform.Platform, error) { return harmful{w}, nil },
			Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
			Now:      func() time.Time { return w.now },
		})[pipeline.KindCanary]
		var told []string
		end := func(k stage.Task) (stage.Task, stage.Outcome) {
			for range 2000 {
				out, err := e.Tick(context.Background(), k)
				w.must(err)
				w.legal()
				if dies() { // nothing of the outcome is kept, and another lease is given
					w.now, k.Fence = w.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "down"))*time.Second), k.Fence+1
					continue
				}
				for _, l := range out.Lines {
					if strings.HasPrefix(l.Kind, "drill.") {
						told = append(told, l.Kind)
					}
				}
				if k.State = out.State; out.Status != stage.Continue {
					return k, out
				}
				w.now = w.now.Add(max(out.After, 10*time.Millisecond))
			}
			rt.Fatal("it did not end")
			return k, stage.Outcome{}
		}
		done, out := end(k)
		if out.Status != stage.Failed || w.weights[old] != platform.Whole || len(told) != 1 || bad && told[0] != "drill.noticed" {
			rt.Fatalf("it ended %s (%s) with %v, and told %v", out.Status, out.Reason, w.weights, told)
		}
		undo := k
		undo.State, undo.Undo, undo.Fence = nil, true, done.Fence+1
		undo.Memories = map[string]json.RawMessage{"canary": done.State}
		if _, out := end(undo); out.Status != stage.Passed || w.home != old {
			rt.Fatalf("the undo ended %s with %s at home", out.Status, w.home)
		}
		if _, there := w.placed[fresh]; there {
			rt.Fatal("the revision with the fault is still placed")
		}
	})
}
