package stage_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
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

// slowSource answers like its world, and takes its time.
type slowSource struct {
	*world
	takes time.Duration
	asked int
}

func (s *slowSource) Sample(ctx context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	sample, next, err := s.world.Sample(ctx, ask, cursor)
	s.asked++
	s.now = s.now.Add(s.takes)
	return sample, next, err
}

// While a source answers, the worker may be cut off: what it may do was asked before that.
func TestACanaryMovesNoMoreTrafficInATickThatHasAskedItsSource(t *testing.T) {
	w := newWorld(t, 34).withHome()
	src := &slowSource{world: w, takes: 12 * time.Second}
	w.source, w.slowSecond = src, 20*time.Second
	k := task(canaryStage())
	k.Stage.Canary.Instances, k.Stage.Canary.FirstWeight, k.Stage.Canary.Observation = 1, 0.1, pipeline.Duration(time.Hour)
	e := w.executors()[pipeline.KindCanary]
	steps := 0
	for range 3000 {
		before, asked := w.weights[fresh], src.asked
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		if w.weights[fresh] > before {
			steps++
			if src.asked > asked {
				t.Fatalf("a tick that had asked the source brought the canary from %d to %d", before, w.weights[fresh])
			}
		}
		if out.Status != stage.Continue {
			if out.Status != stage.Passed || steps < 3 {
				t.Errorf("after %d steps it ended %s: %s", steps, out.Status, out.Reason)
			}
			return
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	t.Error("the canary did not end")
}

// What a look has shown is not the present any more when the next worker comes much later.
func TestACanaryLooksAgainWhereItsLastLookIsLongAgo(t *testing.T) {
	w := newWorld(t, 35).withHome()
	src := &slowSource{world: w}
	w.source = src
	k := task(canaryStage())
	e := w.executors()[pipeline.KindCanary]
	tick := func() {
		t.Helper()
		out, err := e.Tick(context.Background(), k)
		if err != nil || out.Status != stage.Continue {
			t.Fatal(out.Status, out.Reason, err)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	var m struct {
		Weight, Want float64
		Fresh        bool
	}
	for w.weights[fresh] == 0 || m.Want == m.Weight {
		tick()
		if err := json.Unmarshal(k.State, &m); err != nil {
			t.Fatal(err)
		}
	}
	before, asked := w.weights[fresh], src.asked
	w.now = w.now.Add(2 * time.Minute)
	tick()
	if src.asked == asked || w.weights[fresh] != before {
		t.Errorf("it asked %d times, and went from %d to %d", src.asked-asked, before, w.weights[fresh])
	}
	tick()
	if w.weights[fresh] == before {
		t.Error("it did not go on then")
	}
}
