package stage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Its metrics tell nothing of it, and its instances may come back: users cannot wait for either.
func TestACanaryThatIsNotReadyForLongIsTakenBack(t *testing.T) {
	w := newWorld(t, 61).withHome()
	w.dark, w.noMetrics = true, "nothing was scraped"
	_, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "no instance of v2 has been ready for 1") || !strings.Contains(out.Reason, "its probe fails") {
		t.Errorf("it is %s: %s", out.Status, out.Reason)
	}
	if len(w.routedAt) != 2 || w.weights[old] != platform.Whole || w.routedAt[1].Sub(w.routedAt[0]) > 15*time.Second {
		t.Errorf("the traffic went %v at %v", w.routed, w.routedAt)
	}
}

func TestACanaryThatIsNotReadyForAMomentGoesOn(t *testing.T) {
	w := newWorld(t, 62).withHome()
	k := w.ticking(task(canaryStage()))
	var shown time.Time
	for shown.IsZero() || w.now.Sub(shown) < 20*time.Second {
		if shown.IsZero() && w.weights[fresh] > 0 {
			shown = w.now
		}
		w.dark = !shown.IsZero() && w.now.Sub(shown)%(5*time.Second) < 4*time.Second // ready in between
		if out := k.tick(t); out.Status != stage.Continue {
			t.Fatalf("it ended %s (%s)", out.Status, out.Reason)
		}
	}
}

// Where the running version does not answer either, going back would help nobody.
func TestACanaryIsNotTakenBackToWhatIsNotReadyEither(t *testing.T) {
	w := newWorld(t, 63).withHome()
	k := w.ticking(task(canaryStage()))
	var shown time.Time
	for shown.IsZero() || w.now.Sub(shown) < time.Minute {
		if shown.IsZero() && w.weights[fresh] > 0 {
			shown, w.dark, w.oldDead, w.aliveFrom = w.now, true, true, 99
		}
		if out := k.tick(t); out.Status != stage.Continue {
			t.Fatalf("it ended %s (%s)", out.Status, out.Reason)
		}
	}
}

// With an interval between scrapes that is longer it is looked at as often while it is dark; and
// what nobody has looked at is not held against it.
func TestDarknessIsLookedAtOften(t *testing.T) {
	w := newWorld(t, 65).withHome()
	k := w.ticking(task(canaryStage()))
	k.Metrics = pipeline.Metrics{Source: "prometheus", Prometheus: &pipeline.Prometheus{Interval: pipeline.Duration(time.Minute)}}
	w.noMetrics = "nothing was scraped"
	for w.weights[fresh] == 0 {
		k.tick(t)
	}
	for w.dark = true; k.memory.Dark.IsZero(); {
		k.tick(t)
	}
	w.now = w.now.Add(time.Minute) // nobody looks
	if out := k.tick(t); out.Status != stage.Continue {
		t.Fatalf("two looks far apart end it %s (%s)", out.Status, out.Reason)
	}
	began := w.now
	out := k.tick(t)
	for out.Status == stage.Continue {
		out = k.tick(t)
	}
	if took := w.now.Sub(began); out.Status != stage.Failed || took > 13*time.Second {
		t.Errorf("it is %s after %s (%s)", out.Status, took, out.Reason)
	}
}

func TestAWatchedVersionThatIsNotReadyForLongIsTakenBack(t *testing.T) {
	w := newWorld(t, 64).withHome()
	canary, _ := w.play(task(canaryStage()), never)
	k := task(watchStage)
	k.Memories["canary"] = canary.State
	w.dark, w.noMetrics = true, "nothing was scraped"
	_, out := w.play(k, never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "has been ready for 1") || w.weights[old] != platform.Whole {
		t.Errorf("it is %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}
