package stage_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// coarseWorld can split the traffic in some ways only, besides all or nothing.
type coarseWorld struct {
	*world
	possible []int
}

func (w coarseWorld) CanaryWeights(_ context.Context, _ platform.Target, c platform.Capacity) ([]int, error) {
	if c.Instances != 2 {
		w.t.Errorf("asked for %d instances", c.Instances)
	}
	return w.possible, nil
}

func (w coarseWorld) Route(ctx context.Context, l platform.Lease, t platform.Target, weights platform.Weights) error {
	if n := weights[fresh]; n != 0 && n != platform.Whole && !slices.Contains(w.possible, n) {
		w.t.Errorf("routed %v, of which only %v are possible", weights, w.possible)
	}
	return w.world.Route(ctx, l, t, weights)
}

// told plays a canary to its end and returns all the lines that it told.
func (w coarseWorld) told(k stage.Task) (stage.Outcome, []stage.Line) {
	e := stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
		Now:      func() time.Time { return w.now },
	})[k.Stage.Kind]
	var lines []stage.Line
	for range 5000 {
		out, err := e.Tick(context.Background(), k)
		w.must(err)
		w.legal()
		lines = append(lines, out.Lines...)
		if k.State = out.State; out.Status != stage.Continue || out.Asks != "" {
			return out, lines
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatal("the canary did not end")
	return stage.Outcome{}, nil
}

func TestACanaryHasOnlyTheWeightsThatItsPlatformCanGive(t *testing.T) {
	for name, c := range map[string]struct {
		possible []int
		middle   float64
		last     int
		warned   string
	}{
		"by the number of instances": {[]int{500_000, 333_333, 100_000, 100_000}, 0.5, 500_000, ""},
		"more than the budget first": {[]int{400_000, 500_000, 950_000}, 0.5, 950_000, "the smallest possible weight is 40.0 %, more than the 20.0 % that the exposure budget allows"},
		"never a half":               {[]int{0, 111_111, 333_333, platform.Whole}, 0.333333, 333_333, ""},
		"no split at all but one":    {[]int{250_000}, 0.25, 250_000, "the smallest possible weight is 25.0 %"},
	} {
		t.Run(name, func(t *testing.T) {
			w := coarseWorld{newWorld(t, 41).withHome(), c.possible}
			out, lines := w.told(task(canaryStage()))
			if out.Status != stage.Passed || w.weights[fresh] != c.last {
				t.Fatalf("it ended %s (%s, asks %q) with %v", out.Status, out.Reason, out.Asks, w.weights)
			}
			warned := ""
			for _, l := range lines {
				switch l.Kind {
				case "canary.coarse":
					warned += l.Text
				case "canary.opening":
					var data struct{ Opening judge.Opening }
					w.must(json.Unmarshal(l.Data, &data))
					if data.Opening.Settings.Middle != c.middle {
						t.Errorf("the proof is made at %v", data.Opening.Settings.Middle)
					}
				}
			}
			if (warned != "") != (c.warned != "") || !strings.Contains(warned, c.warned) {
				t.Errorf("it warns %q", warned)
			}
		})
	}
}
