package stage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// A canary whose observation ends while its worker is cut off has an answer
// coming, from the environment's rule or a person who gave it: nobody is asked.
func TestAHeldCanaryAsksNobodyWhatIsDecidedAlready(t *testing.T) {
	for name, decided := range map[string]func(*stage.Task){
		"by the rule":   func(k *stage.Task) { k.OnUndecided = pipeline.UndecidedPromote },
		"by the person": func(k *stage.Task) { k.Decision = "promote" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 7).withHome()
			k := task(canaryStage())
			k.Stage.Canary.Observation = pipeline.Duration(time.Minute)
			decided(&k)
			e := w.executors()[pipeline.KindCanary]
			begun := w.now
			for w.now.Sub(begun) < 5*time.Minute {
				out, err := e.Tick(context.Background(), k)
				if err != nil {
					t.Fatal(err)
				}
				if out.Asks != "" || out.Status != stage.Continue {
					t.Fatalf("after %s it is %s and asks %q", w.now.Sub(begun), out.Status, out.Asks)
				}
				k.State = out.State
				if w.weights[fresh] > 0 {
					k.Hold = "the worker cannot reach the server"
				}
				w.now = w.now.Add(max(out.After, 10*time.Millisecond))
			}
			k.Hold = ""
			if _, out := w.play(k, never); out.Status != stage.Passed {
				t.Errorf("when it was no longer held it ended %s, asking %q", out.Status, out.Asks)
			}
		})
	}
}

func TestAHeldWatchAsksNobodyWhatIsDecidedAlready(t *testing.T) {
	w := newWorld(t, 8).withHome()
	done, _ := w.play(task(canaryStage()), never)
	k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{Analysis: quick, For: pipeline.Duration(20 * time.Second), Holdback: 0.05}})
	k.Memories["canary"] = done.State
	k.Decision, k.Hold = "promote", "the worker cannot reach the server"
	w.noMetrics = "the router does not answer"
	e := w.executors()[pipeline.KindWatch]
	for range 60 {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		if out.Asks != "" || out.Status != stage.Continue {
			t.Fatalf("it is %s and asks %q", out.Status, out.Asks)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	k.Hold = ""
	if _, out := w.play(k, never); out.Status != stage.Passed {
		t.Errorf("when it was no longer held it ended %s, asking %q", out.Status, out.Asks)
	}
}

func TestAWatchTakesBackWhatHasCrashedThoughNothingIsMeasured(t *testing.T) {
	w := newWorld(t, 51).withHome()
	w.must(w.Place(t.Context(), platform.Lease{Fence: 1}, target, task(canaryStage()).Revision, platform.Capacity{Instances: 2}))
	w.now = w.now.Add(time.Minute)
	w.must(w.Route(t.Context(), platform.Lease{Fence: 1}, target, platform.Weights{fresh: 950_000, old: 50_000}))
	k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{Analysis: quick, For: pipeline.Duration(time.Hour), Holdback: 0.05}})
	w.noMetrics, w.dead = "the router does not answer", true
	_, out := w.play(k, never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "exited with status 1") || w.weights[old] != platform.Whole {
		t.Errorf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}
