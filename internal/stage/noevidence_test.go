package stage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/internal/stage"
)

// spoilt is one way in which there is no evidence.
type spoilt struct {
	name string
	// spoil changes the counters from the moment at which the stage begins.
	spoil func(c *counted)
	// says is a part of what the person who is asked reads; "" for any.
	says string
}

func answering(status int, body string) func(*counted) {
	return func(c *counted) {
		c.answer = func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(status)
			fmt.Fprint(rw, body)
			return true
		}
	}
}

func reading(f func(name, revision string, v float64) (float64, bool)) func(*counted) {
	return func(c *counted) {
		c.spoil = func(name, revision string, _ int, v float64) (float64, bool) { return f(name, revision, v) }
	}
}

// standing makes the counters of a revision stand still from now on; an empty one is both.
func standing(revision string, scraped bool) func(*counted) {
	return func(c *counted) {
		last := len(c.scrapes) - 2 // the source cuts a scrape behind
		c.spoil = func(name, of string, scrape int, v float64) (float64, bool) {
			if revision != "" && of != revision || scrape <= last {
				return v, true
			}
			if s := c.series[name+"/"+of]; scrape > last && last < len(s) {
				v = s[last]
			}
			return v, scraped
		}
	}
}

// hidden leaves out all of a revision; an empty one is both.
func hidden(revision string) func(*counted) {
	return reading(func(_, of string, v float64) (float64, bool) { return v, revision != "" && of != revision })
}

func standsAt(v float64) func(*counted) {
	return reading(func(name, of string, was float64) (float64, bool) {
		if of == fresh && name == "errors_total" {
			return v, true
		}
		return was, true
	})
}

const success = `{"status":"success","data":{"resultType":"matrix","result":[]}}`

var spoilings = []spoilt{
	{"answers 500", answering(500, "oops"), "it answers 500"},
	{"answers 503 with a reason", answering(503, `{"status":"error","errorType":"unavailable","error":"starting up"}`), "starting up"},
	{"answers 401", answering(401, "who are you?"), "it answers 401"},
	{"answers 429", answering(429, `{"status":"error","errorType":"too_many","error":"slow down"}`), "slow down"},
	{"answers with a page for people", answering(200, "<html>please log in</html>"), "not that of a Prometheus"},
	{"answers with half of it", answering(200, success[:40]), "not that of a Prometheus"},
	{"answers another question", answering(200, strings.Replace(success, "matrix", "scalar", 1)), "not that of a Prometheus"},
	{"answers that something is left out", answering(200, strings.Replace(success, `"data"`, `"warnings":["a store is down"],"data"`, 1)), "a store is down"},
	{"does not understand the query", answering(400, `{"status":"error","errorType":"bad_data","error":"parse error"}`), "parse error"},
	{"sends on to another host", func(c *counted) {
		c.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
			return true
		}
	}, "redirects"},
	{"takes too long", func(c *counted) { c.broken = context.DeadlineExceeded }, "deadline exceeded"},
	{"breaks off", func(c *counted) { c.broken = io.ErrUnexpectedEOF }, "does not answer"},
	{"is empty", hidden(""), "finds nothing"},
	{"has nothing of stable", hidden(old), "stable arm"},
	{"has nothing of the canary", hidden(fresh), "canary arm"},
	{"is stale", standing("", false), ""},
	{"is stale for stable", standing(old, false), "stable arm"},
	{"is stale for the canary", standing(fresh, false), "canary"},
	{"counts NaN", standsAt(math.NaN()), "NaN"},
	{"counts +Inf", standsAt(math.Inf(1)), "Inf"},
	{"counts below zero", standsAt(-3), "-3"},
	{"counts more errors than requests", reading(func(name, of string, v float64) (float64, bool) {
		if of == fresh && name == "errors_total" {
			v = 1e9 + 1000*v
		}
		return v, true
	}), ""},
	{"counts backwards", func(c *counted) {
		c.spoil = func(_, _ string, scrape int, _ float64) (float64, bool) { return float64(1e9 - 1e6*scrape), true }
	}, ""},
	{"counts no request at all", standing("", true), ""},
	{"counts no request of the canary", standing(fresh, true), ""},
	{"counts no request of stable", standing(old, true), ""},
}

// Whatever the environment does with the undecided, no evidence promotes nothing
// and takes nothing back: the weight stays, and a person is asked.
func TestNoEvidenceNeitherPromotesNorTakesBack(t *testing.T) {
	for _, tc := range spoilings {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, rule := range []pipeline.OnUndecided{pipeline.UndecidedPromote, pipeline.UndecidedRollback} {
				for kind, begin := range map[string]func(*world) stage.Task{"canary": aCanary, "watch": aWatch} {
					w := newWorld(t, 21).withHome()
					k := begin(w)
					c := w.count()
					c.w.source, k.OnUndecided = nil, rule
					k.Metrics, w.source = c.serve(scrapeInterval)
					weight := w.weights[fresh]
					tc.spoil(c)
					k, out := w.play(k, never)
					wantAsked(t, kind+", "+string(rule), w, k, out, weight, tc.says)
				}
			}
		})
	}
}

// aCanary begins; aWatch begins behind a canary that has passed.
func aCanary(*world) stage.Task {
	k := task(canaryStage())
	k.Stage.Canary.FirstWeight, k.Stage.Canary.Every, k.Stage.Canary.MinimumSamples = 0.05, pipeline.Duration(45*time.Second), 100
	return k
}

func aWatch(w *world) stage.Task {
	done, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Passed {
		w.t.Fatal(out.Reason)
	}
	w.now = w.now.Add(2 * time.Minute)
	k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
		Analysis: quick, For: pipeline.Duration(5 * time.Minute), Holdback: 0.05,
	}})
	k.Memories["canary"] = done.State
	return k
}

func wantAsked(t *testing.T, what string, w *world, k stage.Task, out stage.Outcome, weight int, says string) {
	t.Helper()
	if out.Status != stage.Continue || out.Asks == "" {
		t.Errorf("%s: it ended %s (%s) and asks %q", what, out.Status, out.Reason, out.Asks)
	}
	if !strings.Contains(out.Asks, says) {
		t.Errorf("%s: a person is asked %q, without %q", what, out.Asks, says)
	}
	got := w.weights[fresh]
	if k.Stage.Kind == pipeline.KindCanary && weight == 0 {
		weight = 50_000
	}
	if got != weight {
		t.Errorf("%s: without evidence the weight went from %d to %d", what, weight, got)
	}
}

// What spoils a part of the samples must not decide either: a good canary goes on
// to its end, a bad one is still taken back.
func TestAGapInTheEvidenceDecidesNothing(t *testing.T) {
	for name, disturb := range map[string]func(w *world, c *counted, tick int){
		"nothing": func(*world, *counted, int) {},
		"a gap of two minutes": func(_ *world, c *counted, tick int) {
			c.answer = nil
			if tick > 6 && tick < 15 {
				answering(500, "oops")(c)
			}
		},
		"counters that begin anew": func(_ *world, c *counted, tick int) {
			if tick == 8 {
				for key := range c.series {
					c.series[key][len(c.series[key])-1] = 0
				}
			}
		},
		"a clock that goes back": func(w *world, _ *counted, tick int) {
			if tick == 8 {
				w.now = w.now.Add(-40 * time.Second)
			}
		},
		"a clock that leaps": func(w *world, _ *counted, tick int) {
			if tick == 8 {
				w.now = w.now.Add(3 * time.Minute)
			}
		},
	} {
		for quality, errors := range map[string]float64{"good": 0.002, "bad": 0.08} {
			t.Run(name+", "+quality, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 22).withHome()
				w.errors = errors
				c := w.count()
				k := aCanary(w)
				k.Stage.Canary.Observation = pipeline.Duration(time.Hour)
				k.Metrics, w.source = c.serve(scrapeInterval)
				tick := 0
				_, out := w.play(k, func() bool { tick++; disturb(w, c, tick); return false })
				want := stage.Passed
				if quality == "bad" {
					want = stage.Failed
				}
				if out.Status != want {
					t.Errorf("it ended %s (%s), asking %q", out.Status, out.Reason, out.Asks)
				}
			})
		}
	}
}

func TestASourceThatIsSlowerThanTheStageIsNoEvidence(t *testing.T) {
	w := newWorld(t, 23).withHome()
	k, c := aCanary(w), w.count()
	k.OnUndecided = pipeline.UndecidedPromote
	k.Metrics, w.source = c.serve(10 * time.Minute)
	k, out := w.play(k, never)
	wantAsked(t, "canary", w, k, out, 0, "")
}

func TestAMetricThatCannotBeOpenedGivesNoTraffic(t *testing.T) {
	w := newWorld(t, 24).withHome()
	w.openFails = fault.Errorf(fault.Invalid, "there is no metric source \"\"")
	_, out := w.play(aCanary(w), never)
	if out.Status != stage.Failed || out.Exposed || len(w.routed) != 0 || !strings.Contains(out.Reason, "metric source") {
		t.Errorf("it ended %s (%s), with %v routed", out.Status, out.Reason, w.routed)
	}
}

// fakeCounters is a router that says what the test wants.
type fakeCounters struct {
	w        *world
	down     error
	counters router.Counters
	arms     []router.Arm
}

func (f *fakeCounters) Counters(context.Context) (router.Counters, error) { return f.counters, f.down }

func (f *fakeCounters) Route(context.Context, string) (router.Route, error) {
	if f.arms == nil {
		return router.Route{}, fault.Errorf(fault.NotFound, "no such route")
	}
	return router.Route{Arms: f.arms}, f.down
}

func TestARouterWithoutEvidenceNeitherPromotesNorTakesBack(t *testing.T) {
	both := []router.Arm{
		{Revision: old, Weight: 950_000, Backends: []router.Backend{{Address: "a"}}},
		{Revision: fresh, Weight: 50_000, Backends: []router.Backend{{Address: "b"}}},
	}
	for name, tc := range map[string]struct {
		f    fakeCounters
		says string
	}{
		"is down":                   {fakeCounters{down: errors.New("connection refused")}, "connection refused"},
		"has no route":              {fakeCounters{}, "no route to the stable arm"},
		"has one arm":               {fakeCounters{arms: both[:1]}, "no route to the canary arm"},
		"has no instance of an arm": {fakeCounters{arms: []router.Arm{both[0], {Revision: fresh, Weight: 50_000}}}, "no instance"},
		"counts nothing":            {fakeCounters{arms: both}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range []pipeline.OnUndecided{pipeline.UndecidedPromote, pipeline.UndecidedRollback} {
				for kind, begin := range map[string]func(*world) stage.Task{"canary": aCanary, "watch": aWatch} {
					w := newWorld(t, 25).withHome()
					k := begin(w)
					tc.f.w, k.OnUndecided = w, rule
					tc.f.counters.Epoch = "e1"
					source, err := metric.NewRouter(&tc.f)
					w.must(err)
					w.source = source
					weight := w.weights[fresh]
					k, out := w.play(k, never)
					wantAsked(t, kind+", "+string(rule), w, k, out, weight, tc.says)
				}
			}
		})
	}
}
