package stage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// till is the world with a source that counts the value of orders, if it is asked to.
type till struct {
	*world
	order float64 // what one is worth on the new revision; 40 on the old one
	gone  string
}

func (s till) Sample(ctx context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	x, next, err := s.world.Sample(ctx, ask, cursor)
	values := func(n int64, mean float64) judge.Counts {
		return judge.Counts{All: n, Sum: float64(n) * mean, Squares: float64(n) * mean * mean * 1.2}
	}
	for _, m := range ask.Custom {
		c := judge.CustomSample{Name: m.Name, Missing: s.gone}
		if s.gone == "" {
			c.Stable, c.Canary = values(x.Stable.Requests, 40), values(x.Canary.Requests, s.order)
		}
		x.Custom = append(x.Custom, c)
	}
	return x, next, err
}

func TestACanaryIsJudgedByCustomMetrics(t *testing.T) {
	for _, c := range []struct {
		name         string
		order        float64
		gone         string
		status       stage.Status
		reason, asks string
	}{
		{name: "as good", order: 40, status: stage.Passed, reason: "it is not worse"},
		{name: "worth less", order: 28, status: stage.Failed, reason: "order value 28.0 against 40.0"},
		{name: "nothing of it", gone: "the query count finds nothing", status: stage.Continue, asks: "order value: the query count finds nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 41).withHome()
			w.source = till{w, c.order, c.gone}
			k := task(canaryStage())
			k.OnUndecided = pipeline.UndecidedPromote // which is not asked where there is no evidence
			k.Stage.Canary.Observation *= 4
			k.Stage.Canary.Metrics = []pipeline.CustomMetric{{Name: "order-value", Sum: "s", Count: "c", Squares: "q", Better: "higher", Margin: 0.2}}
			_, out := w.play(k, never)
			if out.Status != c.status || !strings.Contains(out.Reason, c.reason) || !strings.Contains(out.Asks, c.asks) {
				t.Errorf("it ended %s (%s), asking %q", out.Status, out.Reason, out.Asks)
			}
		})
	}
}

func TestAWatchIsJudgedByCustomMetrics(t *testing.T) {
	for gone, want := range map[string]struct {
		status stage.Status
		asks   string
	}{
		"":                            {stage.Passed, ""},
		"the query sum finds nothing": {stage.Continue, "order value: the query sum finds nothing"},
	} {
		w := newWorld(t, 42).withHome()
		done, _ := w.play(task(canaryStage()), never)
		w.source = till{w, 40, gone}
		k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
			Analysis: quick, For: pipeline.Duration(time.Minute), Holdback: 0.05,
		}})
		k.Stage.Watch.Metrics = []pipeline.CustomMetric{{Name: "order-value", Sum: "s", Count: "c", Squares: "q", Better: "higher", Margin: 0.2}}
		k.Memories["canary"] = done.State
		if _, out := w.play(k, never); out.Status != want.status || !strings.Contains(out.Asks, want.asks) {
			t.Errorf("missing %q: it ended %s (%s), asking %q", gone, out.Status, out.Reason, out.Asks)
		}
	}
}
