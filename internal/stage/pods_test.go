package stage_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// podWorld splits the traffic by the number of instances beside those at home.
type podWorld struct{ *world }

func (w podWorld) CanaryWeights(_ context.Context, _ platform.Target, c platform.Capacity) (all []int, _ error) {
	home, ok := w.placed[w.home]
	for k := 1; ok && k <= c.Instances; k++ {
		all = append(all, int(math.Round(float64(k)/float64(k+home.state.Capacity.Instances)*platform.Whole)))
	}
	return all, nil
}

func (w podWorld) Route(ctx context.Context, l platform.Lease, t platform.Target, weights platform.Weights) error {
	for id, ppm := range weights {
		p := w.placed[id]
		if id == w.home || ppm == platform.Whole || p == nil {
			continue
		}
		possible, _ := w.CanaryWeights(ctx, t, platform.Capacity{Instances: w.look(id, p).Ready()})
		if !slices.Contains(possible, ppm) {
			w.t.Errorf("routed %v, but %s can have only %v", weights, id, possible)
		}
	}
	return w.world.Route(ctx, l, t, weights)
}

// end plays a stage to its end, after those whose memories are given.
func (w podWorld) end(k stage.Task) stage.Outcome {
	w.t.Helper()
	e := stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
		Now:      func() time.Time { return w.now },
	})[k.Stage.Kind]
	for range 5000 {
		out, err := e.Tick(context.Background(), k)
		w.must(err)
		w.legal()
		if k.State = out.State; out.Status != stage.Continue || out.Asks != "" {
			k.Memories[k.Stage.Name] = k.State
			return out
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatalf("%s did not end", k.Stage.Name)
	return stage.Outcome{}
}

var (
	watchStage = pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
		Analysis: quick, For: pipeline.Duration(time.Minute), Holdback: 0.05,
	}}
	promoteStage = pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Direct}}
)

func TestByPodsARevisionIsWatchedAtTheLargestWeightAndThenPromoted(t *testing.T) {
	w := podWorld{newWorld(t, 43).withHome()}
	memories := map[string]json.RawMessage{}
	for _, step := range []struct {
		stage pipeline.Stage
		share int
	}{{canaryStage(), 500_000}, {watchStage, 500_000}, {promoteStage, platform.Whole}} {
		k := task(step.stage)
		k.Memories = memories
		if out := w.end(k); out.Status != stage.Passed || w.weights[fresh] != step.share {
			t.Fatalf("%s ended %s (%s, asks %q) with %v", step.stage.Name, out.Status, out.Reason, out.Asks, w.weights)
		}
	}
	if _, there := w.placed[old]; there {
		t.Error("the former revision was not retired")
	}
}

func TestByPodsABadRevisionIsTakenBackFromTheWatch(t *testing.T) {
	w := podWorld{newWorld(t, 44).withHome()}
	k := task(canaryStage())
	w.end(k)
	w.errors = 0.5
	watch := task(watchStage)
	watch.Memories = k.Memories
	if out := w.end(watch); out.Status != stage.Failed || w.weights[old] != platform.Whole {
		t.Errorf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}

func TestByPodsARollbackTakesOnlyWeightsThatArePossible(t *testing.T) {
	w := podWorld{newWorld(t, 45).withHome()}
	k := task(promoteStage)
	w.end(k)
	w.slowSecond = 5 * time.Second // one instance of two is back long before the other
	k.Undo, k.State, k.Fence, w.routed = true, nil, 2, nil
	if out := w.end(k); out.Status != stage.Passed || w.weights[old] != platform.Whole {
		t.Fatalf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
	if len(w.routed) < 2 || w.routed[0][old] != 333_333 {
		t.Errorf("on the way it routed %v", w.routed)
	}
}

func TestByPodsABatchHasWhatItsInstancesComeTo(t *testing.T) {
	w := podWorld{newWorld(t, 46).withHome()}
	s := promoteStage
	s.Promote = &pipeline.Promote{Strategy: pipeline.Rolling, Batches: 2, Pause: pipeline.Duration(time.Second)}
	if out := w.end(task(s)); out.Status != stage.Passed || w.weights[fresh] != platform.Whole {
		t.Fatalf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
	if len(w.routed) != 2 || w.routed[0][fresh] != 333_333 {
		t.Errorf("it routed %v", w.routed)
	}
}
