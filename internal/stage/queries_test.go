package stage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// toldVerdict is what the ledger keeps of a verdict.
type toldVerdict struct {
	kind    string
	Verdict judge.Verdict
	Queries []metric.Query
}

// verdicts plays the task until it ends or asks, and returns the verdicts that were told.
func (w *world) verdicts(k stage.Task) (told []toldVerdict) {
	w.t.Helper()
	e := w.executors()[k.Stage.Kind]
	for range 5000 {
		out, err := e.Tick(context.Background(), k)
		w.must(err)
		for _, l := range out.Lines {
			if strings.HasSuffix(l.Kind, ".verdict") || strings.HasSuffix(l.Kind, ".decided") {
				v := toldVerdict{kind: l.Kind}
				w.must(json.Unmarshal(l.Data, &v))
				told = append(told, v)
			}
		}
		if out.Status != stage.Continue || out.Asks != "" {
			return told
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatal("the stage did not end")
	return nil
}

func TestEveryVerdictIsToldWithItsQueries(t *testing.T) {
	prometheus := func(w *world, k *stage.Task) { k.Metrics, w.source = w.count().serve(scrapeInterval) }
	router := func(w *world, _ *stage.Task) {
		source, err := metric.NewRouter(&fakeCounters{w: w})
		w.must(err)
		w.source = source
	}
	const scraped, counted = `requests_total{revision=%q}`, `the router's own counters of shop/production, revision %s`
	for name, c := range map[string]struct {
		errors float64
		begin  func(*world) stage.Task
		source func(*world, *stage.Task)
		query  string
		last   string // the kind of the line that is told last
		kind   judge.Kind
	}{
		"a canary that fails":         {errors: 0.08, begin: aCanary, source: prometheus, query: scraped, last: "canary.verdict", kind: judge.Fail},
		"a canary that passes":        {errors: 0.002, begin: aCanary, source: prometheus, query: scraped, last: "canary.verdict", kind: judge.Pass},
		"a canary without evidence":   {errors: 0.002, begin: aCanary, source: router, query: counted, last: "canary.verdict", kind: judge.Hold},
		"a watch that passes":         {errors: 0.002, begin: aWatch, source: prometheus, query: scraped, last: "watch.verdict", kind: judge.Pass},
		"a watch without any counter": {errors: 0.002, begin: aWatch, source: router, query: counted, last: "watch.verdict", kind: judge.Hold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 26).withHome()
			k := c.begin(w)
			w.errors = c.errors
			k.Stage.Canary = observed(k.Stage.Canary)
			c.source(w, &k)
			told := w.verdicts(k)
			if len(told) == 0 {
				t.Fatal("no verdict is told")
			}
			if last := told[len(told)-1]; last.kind != c.last || last.Verdict.Kind != c.kind {
				t.Errorf("%s says %s in the end", last.kind, last.Verdict.Kind)
			}
			for _, v := range told {
				asked := map[string]string{}
				for _, q := range v.Queries {
					asked[q.Metric+"/"+q.Arm] = q.Query
				}
				for arm, revision := range map[string]string{"stable": old, "canary": fresh} {
					if got, want := asked["requests/"+arm], fmt.Sprintf(c.query, revision); got != want {
						t.Errorf("%s (%s) rests on %q for the requests of %s, want %q", v.kind, v.Verdict.Reason, got, arm, want)
					}
				}
			}
		})
	}
}

// observed is the canary with time enough to decide.
func observed(c *pipeline.Canary) *pipeline.Canary {
	if c == nil {
		return nil
	}
	long := *c
	long.Observation = pipeline.Duration(time.Hour)
	return &long
}

func TestAVerdictOfASourceThatTellsNoQueriesIsToldWithout(t *testing.T) {
	w := newWorld(t, 27).withHome() // the world is such a source
	for _, v := range w.verdicts(task(canaryStage())) {
		if v.Queries != nil {
			t.Errorf("%s rests on %v", v.kind, v.Queries)
		}
	}
}
