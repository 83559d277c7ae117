package stage_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// listener is the world with a source that keeps what it was asked.
type listener struct {
	*world
	backends map[[2]string]int
}

func (s listener) Sample(ctx context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	s.backends[[2]string{ask.StableBackend, ask.CanaryBackend}]++
	return s.world.Sample(ctx, ask, cursor)
}

func TestJudgedStagesAskByWhatThePlatformSendsTrafficTo(t *testing.T) {
	for namespace, want := range map[string][2]string{
		"shops": {"shops/shop-" + old, "shops/shop-" + fresh},
		"":      {}, // the platform has no names
	} {
		w := newWorld(t, 41).withHome()
		w.namespace = namespace
		source := listener{w, map[[2]string]int{}}
		w.source = source
		canary, _ := w.play(task(canaryStage()), never)
		k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
			Analysis: quick, For: pipeline.Duration(time.Minute), Holdback: 0.05,
		}})
		k.Memories["canary"] = canary.State
		before := source.backends[want]
		w.play(k, never)
		if len(source.backends) != 1 || before == 0 || source.backends[want] == before {
			t.Errorf("in the namespace %q it was asked by %v, want only %v, by the canary and the watch", namespace, source.backends, want)
		}
	}
}
