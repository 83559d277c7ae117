package stage_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// choosingWorld can send chosen requests to a revision.
type choosingWorld struct {
	*world
	admitted platform.Match
	was      []platform.Match
}

func (w *choosingWorld) Admit(_ context.Context, l platform.Lease, _ platform.Target, revision string, m platform.Match) error {
	if p, ok := w.placed[revision]; m != (platform.Match{}) && (!ok || w.look(revision, p).Ready() == 0) {
		return fault.Errorf(fault.Conflict, "revision %s has no ready instance", revision)
	}
	w.admitted, w.was = m, append(w.was, m)
	return w.claim(l)
}

func (w *choosingWorld) Sample(ctx context.Context, ask metric.Ask, cursor []byte) (s judge.Sample, next []byte, err error) {
	if w.admitted != (platform.Match{}) {
		w.t.Error("a sample is taken while an audience has the revision")
	}
	return w.world.Sample(ctx, ask, cursor)
}

// until plays the canary until it has ended or so says.
func (w *choosingWorld) until(k *stage.Task, so func(stage.Outcome) bool) stage.Outcome {
	w.t.Helper()
	e := stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
		Now:      func() time.Time { return w.now },
	})[k.Stage.Kind]
	for range 5000 {
		out, err := e.Tick(context.Background(), *k)
		w.must(err)
		w.legal()
		if k.State = out.State; out.Status != stage.Continue || out.Asks != "" || so(out) {
			return out
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatal("the canary did not end")
	return stage.Outcome{}
}

func audienceTask() *stage.Task {
	k := task(canaryStage())
	k.Stage.Canary.Audience = &pipeline.Audience{Header: "X-Canary", Value: "yes", For: pipeline.Duration(3 * time.Minute)}
	return &k
}

var chosen = platform.Match{Header: "X-Canary", Value: "yes"}

func TestAnAudienceHasTheRevisionBeforeItIsJudged(t *testing.T) {
	w, k := &choosingWorld{world: newWorld(t, 47).withHome()}, audienceTask()
	out := w.until(k, func(out stage.Outcome) bool {
		return out.Progress != nil && out.Progress.Weight == 0 && w.admitted == chosen
	})
	began := w.now
	if !out.Exposed || !strings.HasPrefix(out.Progress.Now, "Requests with the header X-Canary: yes get v2") || w.weights[old] != platform.Whole {
		t.Errorf("it says %q with %v", out.Progress.Now, w.weights)
	}
	k.Hold = "a freeze"
	w.now = w.now.Add(time.Hour)
	w.until(k, func(stage.Outcome) bool { return true })
	if w.admitted != chosen {
		t.Error("what is held went on")
	}
	k.Hold = ""
	out = w.until(k, func(stage.Outcome) bool { return false })
	if out.Status != stage.Passed || w.weights[fresh] != 950_000 || len(w.was) != 2 || w.was[1] != (platform.Match{}) {
		t.Errorf("it ended %s (%s) with %v, and admitted %v", out.Status, out.Reason, w.weights, w.was)
	}
	if w.routedAt[0].Sub(began) < 3*time.Minute {
		t.Errorf("it had a weight after %s", w.routedAt[0].Sub(began))
	}
}

func TestAnAudienceDoesNotGetWhatIsHeld(t *testing.T) {
	w, k := &choosingWorld{world: newWorld(t, 50).withHome()}, audienceTask()
	w.until(k, func(stage.Outcome) bool { return strings.Contains(string(k.State), `"showing"`) })
	k.Hold = "the server does not answer"
	for range 3 {
		out := w.until(k, func(stage.Outcome) bool { return true })
		if len(w.was) > 0 || !strings.Contains(out.Progress.Now, k.Hold) {
			t.Fatalf("it says %+v, and admitted %v", out.Progress, w.was)
		}
	}
	k.Hold = ""
	w.until(k, func(stage.Outcome) bool { return w.admitted == chosen })
}

func TestAnAudienceIsSentBackFromARevisionThatCrashes(t *testing.T) {
	w, k := &choosingWorld{world: newWorld(t, 48).withHome()}, audienceTask()
	w.until(k, func(stage.Outcome) bool { return w.admitted == chosen })
	w.dead = true
	out := w.until(k, func(stage.Outcome) bool { return false })
	if out.Status != stage.Failed || w.admitted != (platform.Match{}) || !strings.Contains(out.Reason, "exited with status 1") {
		t.Errorf("it ended %s (%s), and admits %v", out.Status, out.Reason, w.admitted)
	}
}

func TestAPlatformThatCannotChooseRequestsRefusesAnAudience(t *testing.T) {
	w, k := newWorld(t, 49).withHome(), audienceTask()
	_, out := w.play(*k, never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "cannot choose requests for an audience") {
		t.Errorf("it ended %s (%s)", out.Status, out.Reason)
	}
}
