package stage_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// A worker convicts a canary, takes its traffic back and dies before it reports. The
// next one knows only the state of before, and must not give any traffic again, whatever
// the canary was about to do.
func TestACanaryThatWasTakenBackGetsNothingAgain(t *testing.T) {
	for when, c := range map[string]struct {
		errors float64
		is     func(canaryMemory) bool
	}{
		"judging":    {0.002, func(m canaryMemory) bool { return m.Phase == "judging" && m.Weight > 0 && m.Want == m.Weight }},
		"growing":    {0.002, func(m canaryMemory) bool { return m.Phase == "judging" && m.Weight > 0 && m.Want > m.Weight }},
		"going back": {0.012, goingBack},
		"filling":    {0.002, func(m canaryMemory) bool { return m.Phase == "filling" }},
	} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t, 1).withHome()
			w.errors = c.errors
			k := w.canaryUntil(t, c.is)
			w.must(w.Route(t.Context(), platform.Lease{Fence: k.Fence}, target, platform.Weights{old: platform.Whole}))
			k.Fence++
			routed := len(w.routed)
			for range 20 {
				if out := k.tick(t); out.Status != stage.Continue {
					if out.Status != stage.Failed || len(w.routed) != routed {
						t.Errorf("%s, %q, routed %v", out.Status, out.Reason, w.routed[routed:])
					}
					return
				}
				if len(w.routed) != routed {
					t.Fatalf("it gets traffic again: %v", w.routed[routed:])
				}
			}
			t.Error("it has not failed")
		})
	}
}

// A worker takes a suspicious canary a step back and dies before it reports. That is no
// verdict: the next one judges on.
func TestACanaryThatWentAStepBackIsJudgedOn(t *testing.T) {
	w := newWorld(t, 1).withHome()
	w.errors = 0.012
	k := w.canaryUntil(t, goingBack)
	if k.memory.Want < 0.05-1e-9 {
		t.Errorf("it goes back to %v", k.memory.Want)
	}
	want := int(k.memory.Want * platform.Whole)
	w.must(w.Route(t.Context(), platform.Lease{Fence: k.Fence}, target, platform.Weights{fresh: want, old: platform.Whole - want}))
	k.Fence++
	for range 3 {
		if out := k.tick(t); out.Status != stage.Continue {
			t.Fatalf("it ends %s: %s", out.Status, out.Reason)
		}
	}
	if k.memory.Weight != k.memory.Want {
		t.Errorf("it has %v and is to have %v", k.memory.Weight, k.memory.Want)
	}
}

// A worker that was cut off convicts a canary which another one has meanwhile.
func TestACanaryThatIsAnothersIsNotTakenBack(t *testing.T) {
	w := newWorld(t, 1).withHome()
	k := w.canaryUntil(t, func(m canaryMemory) bool { return m.Phase == "judging" && m.Weight > 0 })
	w.errors = 0.5
	w.fence = k.Fence + 1
	k.Hold = "cut off"
	for range 1000 {
		out, err := k.executor.Tick(t.Context(), k.Task)
		if errors.Is(err, platform.ErrFenced) {
			return
		}
		if err != nil || out.Status != stage.Continue {
			t.Fatalf("it ends as %s: %v", out.Status, err)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	t.Error("it was never convicted")
}

// canaryMemory is what a canary's executor remembers of its weights.
type canaryMemory struct {
	Phase        string
	Weight, Want float64
	Dark         time.Time
}

func goingBack(m canaryMemory) bool { return m.Phase == "judging" && m.Want < m.Weight }

// ticking is a canary under way.
type ticking struct {
	stage.Task
	w        *world
	executor stage.Executor
	memory   canaryMemory
}

// canaryUntil lets a canary run until its memory is so.
func (w *world) canaryUntil(t *testing.T, is func(canaryMemory) bool) *ticking {
	t.Helper()
	k := &ticking{Task: task(canaryStage()), w: w, executor: w.executors()[pipeline.KindCanary]}
	for ticks := 0; !is(k.memory); ticks++ {
		if out := k.tick(t); ticks > 5000 || out.Status != stage.Continue {
			t.Fatalf("the canary never got there: %+v", out)
		}
	}
	return k
}

func (k *ticking) tick(t *testing.T) stage.Outcome {
	t.Helper()
	out, err := k.executor.Tick(t.Context(), k.Task)
	if err != nil {
		t.Fatal(err)
	}
	k.State, k.memory = out.State, canaryMemory{}
	if err := json.Unmarshal(out.State, &k.memory); err != nil {
		t.Fatal(err)
	}
	k.w.now = k.w.now.Add(max(out.After, 10*time.Millisecond))
	return out
}
