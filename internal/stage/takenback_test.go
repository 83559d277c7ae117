package stage_test

import (
	"encoding/json"
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
	type memory struct {
		Phase        string
		Weight, Want float64
	}
	for when, is := range map[string]func(memory) bool{
		"judging": func(m memory) bool { return m.Phase == "judging" && m.Weight > 0 && m.Want == m.Weight },
		"growing": func(m memory) bool { return m.Phase == "judging" && m.Weight > 0 && m.Want > m.Weight },
		"filling": func(m memory) bool { return m.Phase == "filling" },
	} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t, 1).withHome()
			tk := task(canaryStage())
			canary := w.executors()[pipeline.KindCanary]
			tick := func() stage.Outcome {
				out, err := canary.Tick(t.Context(), tk)
				if err != nil {
					t.Fatal(err)
				}
				tk.State = out.State
				w.now = w.now.Add(max(out.After, 10*time.Millisecond))
				return out
			}
			for ticks := 0; ; ticks++ {
				var m memory
				if tk.State != nil && json.Unmarshal(tk.State, &m) == nil && is(m) {
					break
				}
				if out := tick(); ticks > 5000 || out.Status != stage.Continue {
					t.Fatalf("the canary never got there: %+v", out)
				}
			}
			w.must(w.Route(t.Context(), platform.Lease{Fence: tk.Fence}, target, platform.Weights{old: platform.Whole}))
			tk.Fence++
			routed := len(w.routed)
			for range 20 {
				if out := tick(); out.Status != stage.Continue {
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
