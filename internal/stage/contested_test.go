package stage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

const byHand = "kubectl has changed the HTTPRoute shop: its weights are r-new 30 %, r-old 70 %, not r-new 10 %, r-old 90 %"

// meddle changes the weights behind the canary's back, once it has traffic.
func meddle(w *world, k stage.Task) (stage.Task, stage.Outcome) {
	return w.play(k, func() bool {
		if w.weights[fresh] > 0 && w.foreign == "" {
			w.weights, w.foreign = platform.Weights{old: 700_000, fresh: 300_000}, byHand
		}
		return false
	})
}

func TestWeightsThatAnotherHasChangedArePutToAPerson(t *testing.T) {
	w := newWorld(t, 41).withHome()
	k, out := meddle(w, task(canaryStage()))
	if !strings.HasPrefix(out.Asks, byHand) || w.weights[fresh] != 300_000 {
		t.Fatalf("it asks %q with %v", out.Asks, w.weights)
	}
	w.foreign, w.weights = "", w.routed[len(w.routed)-1]
	if _, out = w.play(k, never); out.Status != stage.Passed {
		t.Errorf("after they were put back it ended %s (%s%s)", out.Status, out.Reason, out.Asks)
	}
}

func TestAPersonMayGoOnWithWeightsThatAnotherHasChanged(t *testing.T) {
	for _, share := range []int{300_000, 1000} {
		w := newWorld(t, 42).withHome()
		k, _ := meddle(w, task(canaryStage()))
		w.weights = platform.Weights{old: platform.Whole - share, fresh: share}
		k.Decision = "promote"
		if _, out := w.play(k, never); out.Status != stage.Passed {
			t.Errorf("from %d millionths it ended %s (%s%s)", share, out.Status, out.Reason, out.Asks)
		}
	}
}

func TestADeploymentThatAnotherTakesTrafficFromIsPutToAPerson(t *testing.T) {
	w := newWorld(t, 45).withHome()
	k, out := w.play(task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}}), func() bool {
		if w.weights[fresh] == platform.Whole {
			w.weights, w.foreign = platform.Weights{old: platform.Whole}, byHand
		}
		return false
	})
	if !strings.HasPrefix(out.Asks, byHand) || len(w.routed) != 1 {
		t.Fatalf("it asks %q and has routed %v", out.Asks, w.routed)
	}
	k.Decision = "promote"
	if _, out = w.play(k, never); out.Status != stage.Passed || w.home != fresh {
		t.Errorf("when a person says so it ended %s (%s)", out.Status, out.Reason)
	}
}

func TestHarmIsTakenBackWhateverAnotherHasChanged(t *testing.T) {
	w := newWorld(t, 43).withHome()
	k, _ := meddle(w, task(canaryStage()))
	w.errors = 0.4
	for range 200 {
		var out stage.Outcome
		if k, out = w.play(k, never); out.Status == stage.Failed {
			if w.weights[fresh] != 0 {
				t.Errorf("it failed with %v", w.weights)
			}
			return
		}
		w.now = w.now.Add(time.Second)
	}
	t.Error("nobody noticed")
}

func TestNothingIsPromotedOverWeightsThatAnotherHasChanged(t *testing.T) {
	w := newWorld(t, 44).withHome()
	w.foreign = byHand
	k := task(pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Direct}})
	k, out := w.play(k, never)
	if !strings.HasPrefix(out.Asks, byHand) || len(w.routed) != 0 {
		t.Fatalf("it asks %q and has routed %v", out.Asks, w.routed)
	}
	w.foreign = ""
	if _, out = w.play(k, never); out.Status != stage.Passed || w.home != fresh {
		t.Errorf("it ended %s (%s)", out.Status, out.Reason)
	}
}
