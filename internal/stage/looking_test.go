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

// Whoever has traffic is judged, also while more instances come up.
func TestACanaryIsJudgedWhileItsInstancesComeUp(t *testing.T) {
	w := newWorld(t, 31).withHome()
	w.slowSecond = time.Hour
	k := task(canaryStage())
	k.Stage.Canary.Instances, k.Stage.Canary.FirstWeight = 1, 0.2
	began := w.now
	_, out := w.play(k, func() bool {
		if w.weights[fresh] > 0 && w.now.Sub(began) > 30*time.Second {
			w.errors = 0.3 // by now it waits for its second instance
			w.placed[old].since = time.Time{}
		}
		return false
	})
	if out.Status != stage.Failed || w.weights[old] != platform.Whole || w.now.Sub(began) > 5*time.Minute {
		t.Errorf("after %s it ended %s (%s) with %v", w.now.Sub(began), out.Status, out.Reason, w.weights)
	}
}

// A canary that has passed and is held has half of the traffic, for as long as it is held.
func TestAPassedCanaryThatIsHeldIsJudgedOn(t *testing.T) {
	w := newWorld(t, 32).withHome()
	k := task(canaryStage())
	e := w.executors()[pipeline.KindCanary]
	tick := func() stage.Outcome {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
		return out
	}
	for w.weights[fresh] < 500_000 {
		tick()
	}
	k.Hold = "frozen over the weekend"
	var out stage.Outcome
	for range 1000 {
		if out = tick(); out.Progress != nil && strings.Contains(out.Progress.Now, "Held") {
			break
		}
	}
	points := 0
	for range 100 {
		points += len(tick().Points)
	}
	if points < 10 {
		t.Errorf("while it was held %d samples were judged", points)
	}
	w.errors = 0.3
	if _, out = w.play(k, never); out.Status != stage.Failed || w.weights[old] != platform.Whole {
		t.Errorf("it went bad while it was held, and ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}

// Stable gets back what it bears at once, and not what would break it.
func TestAStableThatWasShrunkGetsBackWhatItBears(t *testing.T) {
	for first, share := range map[float64]int{0.05: platform.Whole, 0.4: 600_000, 0.5: 500_000} {
		w := newWorld(t, 33).withHome()
		w.placed[old].state.Capacity.Instances = 4
		w.errors = 0.3
		k := task(canaryStage())
		k.Stage.Canary.FirstWeight = first
		shrunk := false
		_, out := w.play(k, func() bool {
			if w.weights[fresh] > 0 && !shrunk {
				shrunk = true
				w.placed[old].state.Capacity.Instances = 1 // a person has, of four
			}
			return false
		})
		if out.Status != stage.Failed || w.weights[old] != share {
			t.Errorf("with a canary of %.2f it ended %s (%s) with %v", first, out.Status, out.Reason, w.weights)
		}
	}
}
