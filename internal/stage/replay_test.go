package stage_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/replay"
	"github.com/fairwayhq/fairway/internal/stage"
)

// behind is a source that tells only what is some time in the past, as Prometheus is.
type behind struct {
	*world
	lag time.Duration
}

func (b behind) Sample(ctx context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	ask.Now = ask.Now.Add(-b.lag)
	return b.world.Sample(ctx, ask, cursor)
}

// recorded plays the task and returns what the record keeps of it, as it comes back
// from storage, with the verdict of each look.
func (w *world) recorded(t stage.Task) (r replay.Record, verdicts []judge.Verdict, done stage.Task) {
	w.t.Helper()
	e := w.executors()[t.Stage.Kind]
	for range 5000 {
		out, err := e.Tick(context.Background(), t)
		w.must(err)
		for _, l := range out.Lines {
			if l.Kind == "canary.opening" || l.Kind == "watch.opening" {
				var data struct{ Opening judge.Opening }
				w.must(json.Unmarshal(l.Data, &data))
				r = replay.Record{Opening: data.Opening}
			}
		}
		for _, p := range out.Points {
			var kept stage.Point
			text, err := json.Marshal(p)
			w.must(err)
			w.must(json.Unmarshal(text, &kept))
			r.Looks = append(r.Looks, replay.Look{Sample: kept.Sample, Now: kept.Looked, Evidence: kept.Evidence})
			verdicts = append(verdicts, *out.Progress.Verdict)
		}
		t.State = out.State
		if out.Status != stage.Continue || out.Asks != "" {
			return r, verdicts, t
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatal("the stage did not end")
	return r, verdicts, t
}

func TestAReplayDecidesAtTheSameSampleAsTheReleaseDid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(rt, "seed")).withHome()
		w.errors = rapid.SampledFrom([]float64{0.002, 0.004, 0.02, 0.06, 1}).Draw(rt, "errors")
		if lag := time.Duration(rapid.IntRange(0, 20).Draw(rt, "lag")) * time.Second; lag > 0 {
			w.source = behind{w, lag}
		}
		k := task(canaryStage())
		agrees(rt, w, &k)
		if k.Stage.Kind != pipeline.KindCanary || w.weights[fresh] != 950_000 {
			return
		}
		watching := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
			Analysis: quick, For: pipeline.Duration(time.Minute), Holdback: 0.05,
		}})
		watching.Memories["canary"] = k.State
		agrees(rt, w, &watching)
	})
}

// agrees plays the task, and replays it.
func agrees(rt *rapid.T, w *world, k *stage.Task) {
	r, verdicts, done := w.recorded(*k)
	*k = done
	if len(r.Looks) == 0 {
		rt.Fatal("nothing was recorded")
	}
	course := r.Run(replay.AsItWas(r.Opening.Settings))
	if course.Differs != "" {
		rt.Fatal(course.Differs)
	}
	last := verdicts[len(verdicts)-1]
	if course.Last.Kind != last.Kind || course.Last.Reason != last.Reason || course.Last.Said != last.Sentence() {
		rt.Fatalf("it ended %q, and its replay %q", last.Sentence(), course.Last.Said)
	}
	turns := course.Turns
	for i, v := range verdicts {
		if len(turns) > 0 && turns[0].Look == i+1 {
			if turns[0].Kind != v.Kind || turns[0].Reason != v.Reason {
				rt.Fatalf("look %d was %s (%s), and is %s (%s)", i+1, v.Kind, v.Reason, turns[0].Kind, turns[0].Reason)
			}
			turns = turns[1:]
		} else if before := verdicts[i-1]; before.Kind != v.Kind || before.Reason != v.Reason {
			rt.Fatalf("at look %d the verdict became %s (%s), which the replay does not tell", i+1, v.Kind, v.Reason)
		}
	}
}
