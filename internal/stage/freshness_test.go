package stage_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// growing is a canary that has traffic and is about to get more; looked says whether the look
// that says so was the last thing it did.
func growing(t *testing.T, w *world, looked bool) (stage.Task, stage.Executor) {
	t.Helper()
	k := task(canaryStage())
	k.Stage.Canary.Instances, k.Stage.Canary.FirstWeight, k.Stage.Canary.Observation = 1, 0.1, pipeline.Duration(time.Hour)
	e := w.executors()[pipeline.KindCanary]
	for range 1000 {
		k.State = tickOnce(t, w, e, k).State
		var m struct {
			Weight, Want float64
			FreshUnder   int64
		}
		if err := json.Unmarshal(k.State, &m); err != nil {
			t.Fatal(err)
		}
		if w.weights[fresh] > 0 && m.Want != m.Weight && (m.FreshUnder > 0 || !looked) {
			return k, e
		}
	}
	t.Fatal("the canary never grows")
	return k, e
}

func tickOnce(t *testing.T, w *world, e stage.Executor, k stage.Task) stage.Outcome {
	t.Helper()
	out, err := e.Tick(context.Background(), k)
	if err != nil || out.Status != stage.Continue {
		t.Fatal(out.Status, out.Reason, err)
	}
	w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	return out
}

// When a worker dies nobody looks until its lease has run out: whoever takes over looks first.
func TestWhoTakesACanaryOverLooksBeforeItMoves(t *testing.T) {
	w := newWorld(t, 35).withHome()
	src := &slowSource{world: w}
	w.source = src
	k, e := growing(t, w, true)
	before, asked := w.weights[fresh], src.asked
	w.now = w.now.Add(35 * time.Second)
	k.Fence++
	for range 3 {
		k.State = tickOnce(t, w, e, k).State
		if w.weights[fresh] > before && src.asked == asked {
			t.Fatal("more traffic was moved without a look")
		}
	}
	if src.asked == asked {
		t.Error("it has not looked")
	}
}

func TestACanaryThatIsPausedWhileItGrowsLooksAtItsPace(t *testing.T) {
	w := newWorld(t, 35).withHome()
	src := &slowSource{world: w}
	w.source = src
	k, e := growing(t, w, false)
	k.Hold = "paused by ben"
	asked, began := src.asked, w.now
	for range 100 {
		k.State = tickOnce(t, w, e, k).State
	}
	if most := int(w.now.Sub(began)/(time.Second)) + 5; src.asked-asked > most {
		t.Errorf("in %s of a pause it asked the source %d times", w.now.Sub(began), src.asked-asked)
	}
}
