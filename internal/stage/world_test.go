package stage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// world stands in for a platform, its traffic and the time, so that hours of a
// canary pass in milliseconds and any step can be interrupted. The host platform
// with real processes has its own tests; executors see both through the same interface.
type world struct {
	t      testing.TB
	random *rand.Rand
	now    time.Time

	placed  map[string]*placedRevision
	order   []string
	weights platform.Weights
	home    string
	fence   int64

	// What the new revision is like.
	errors  float64
	dead    bool
	oldDead bool
	oldLeft int // so many instances of it live all the same
	// slowSecond is how much longer second instances take to start.
	slowSecond time.Duration
	aliveFrom  int64 // the fence from which the old revision starts again
	crashes    bool
	dark       bool // with traffic it is not ready, and may become so
	noMetrics  string
	// source is read in the world's place, where set; openFails keeps it from being opened.
	source    metric.Source
	openFails error
	address   string
	// truth is what is told, where a task has a repository.
	truth *repository
	// refused is why the old revision is placed no more, before its fence is noted.
	refused error
	// foreign is what somebody else has done to the weights.
	foreign string
	// namespace makes the world one that has names for what traffic goes to.
	namespace string
	// history of what was routed, for the tests, and when.
	routed   []platform.Weights
	routedAt []time.Time
}

type placedRevision struct {
	state platform.RevisionState
	since time.Time
	up    int // so many have started since
	fence int64
}

const (
	old   = "r-old"
	fresh = "r-new"
)

var target = platform.Target{Service: "shop", Environment: "production"}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		placed: map[string]*placedRevision{}, weights: platform.Weights{}, errors: 0.002,
	}
	return w
}

// withHome puts the old revision at home.
func (w *world) withHome() *world {
	r := platform.Revision{ID: old, Version: "v1", Settings: []byte(`{"instances":2}`)}
	ctx := context.Background()
	w.must(w.Place(ctx, platform.Lease{}, target, r, platform.Capacity{Instances: 2}))
	w.now = w.now.Add(time.Minute)
	w.must(w.Route(ctx, platform.Lease{}, target, platform.Weights{old: platform.Whole}))
	w.routed, w.routedAt = nil, nil
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

const startUp = 700 * time.Millisecond

func (w *world) Observe(context.Context, platform.Target) (platform.State, error) {
	s := platform.State{Fence: w.fence, Home: w.home, Foreign: w.foreign, Weights: platform.Weights{}}
	for k, v := range w.weights {
		s.Weights[k] = v
	}
	for _, id := range w.order {
		if p, ok := w.placed[id]; ok {
			s.Revisions = append(s.Revisions, w.look(id, p))
		}
	}
	return s, nil
}

func (w *world) look(id string, p *placedRevision) platform.RevisionState {
	r := p.state
	r.Instances = nil
	if w.namespace != "" {
		r.Backend = w.namespace + "/shop-" + id
	}
	for i := range r.Capacity.Instances {
		up := i < p.up || w.now.Sub(p.since) >= startUp+time.Duration(min(i, 1))*w.slowSecond
		if up {
			p.up = max(p.up, i+1) // whatever the clock does later
		}
		in := platform.Instance{ID: fmt.Sprintf("%s-%d", id, i+1), Address: w.address, Ready: up, StartedAt: p.since}
		if id == old && w.oldDead && i >= w.oldLeft && p.fence < w.aliveFrom {
			in.Ready, in.Failed, in.Message = false, up, "the disk is full"
		}
		if id == fresh && (w.dead || w.crashes && w.weights[fresh] > 0) {
			in.Ready, in.Failed, in.Message = false, up, "exited with status 1"
		}
		if id == fresh && w.dark && w.weights[fresh] > 0 {
			in.Ready, in.Message = false, "its probe fails"
		}
		r.Instances = append(r.Instances, in)
	}
	return r
}

func (w *world) claim(l platform.Lease) error {
	if l.Fence < w.fence {
		return platform.Fenced(target, l.Fence, w.fence)
	}
	w.fence = l.Fence
	return nil
}

func (w *world) Place(_ context.Context, l platform.Lease, _ platform.Target, r platform.Revision, c platform.Capacity) error {
	if w.refused != nil && r.ID == old {
		return w.refused
	}
	if err := w.claim(l); err != nil {
		return err
	}
	p, ok := w.placed[r.ID]
	if !ok {
		p = &placedRevision{since: w.now}
		w.placed[r.ID] = p
		w.order = append(w.order, r.ID)
	}
	p.fence = l.Fence
	p.state = platform.RevisionState{Revision: r, Capacity: c}
	return nil
}

func (w *world) Route(_ context.Context, l platform.Lease, _ platform.Target, weights platform.Weights) error {
	if err := w.claim(l); err != nil {
		return err
	}
	sum := 0
	for id, n := range weights {
		sum += n
		p, ok := w.placed[id]
		if !ok || w.look(id, p).Ready() == 0 {
			return fault.Errorf(fault.Conflict, "revision %s has no ready instance", id)
		}
	}
	if sum != platform.Whole && len(weights) > 0 {
		w.t.Fatalf("the weights %v do not sum to the whole", weights)
	}
	w.weights = platform.Weights{}
	for id, n := range weights {
		w.weights[id] = n
		if n == platform.Whole {
			w.home = id
		}
	}
	if len(weights) == 0 {
		w.home = ""
	}
	w.routed, w.routedAt = append(w.routed, w.weights), append(w.routedAt, w.now)
	return nil
}

func (w *world) Retire(_ context.Context, l platform.Lease, _ platform.Target, id string) error {
	if err := w.claim(l); err != nil {
		return err
	}
	if w.weights[id] > 0 {
		return fault.Errorf(fault.Conflict, "revision %s has traffic", id)
	}
	delete(w.placed, id)
	return nil
}

const rate = 200.0

// Sample draws what both arms did since the cursor.
func (w *world) Sample(_ context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	s := judge.Sample{At: ask.Now, Weight: ask.Weight}
	next, err := json.Marshal(ask.Now)
	w.must(err)
	if len(cursor) == 0 {
		s.Missing = "first look"
		return s, next, nil
	}
	if w.noMetrics != "" {
		s.Missing = w.noMetrics
		return s, cursor, nil
	}
	var since time.Time
	w.must(json.Unmarshal(cursor, &since))
	n := w.poisson(rate * ask.Now.Sub(since).Seconds())
	c := w.binomial(n, w.share(ask.Canary, since, ask.Now))
	s.Canary = judge.Arm{Requests: c, Errors: w.binomial(c, w.errors), Instances: 2, WarmInstances: 2}
	s.Stable = judge.Arm{Requests: n - c, Errors: w.binomial(n-c, 0.002), Instances: 2, WarmInstances: 2}
	return s, next, nil
}

// share is what the revision had of the traffic, on average over the time.
func (w *world) share(revision string, from, to time.Time) float64 {
	if !to.After(from) {
		return 0
	}
	sum, end := 0.0, to
	for i := len(w.routed) - 1; i >= 0 && end.After(from); i-- {
		begin := w.routedAt[i]
		if begin.Before(from) {
			begin = from
		}
		if begin.Before(end) {
			sum += end.Sub(begin).Seconds() * float64(w.routed[i][revision])
			end = begin
		}
	}
	return sum / to.Sub(from).Seconds() / platform.Whole
}

func (w *world) poisson(mean float64) (n int64) {
	for t := w.random.ExpFloat64(); t < mean; t += w.random.ExpFloat64() {
		n++
	}
	return n
}

func (w *world) binomial(n int64, p float64) (k int64) {
	for range n {
		if w.random.Float64() < p {
			k++
		}
	}
	return k
}

// executors work in this world.
func (w *world) executors() map[pipeline.Kind]stage.Executor {
	return stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source: func(pipeline.Metrics) (metric.Source, error) {
			if w.source != nil {
				return w.source, w.openFails
			}
			return w, w.openFails
		},
		Truth: w.truth,
		Now:   func() time.Time { return w.now },
	})
}

func task(s pipeline.Stage) stage.Task {
	return stage.Task{
		ID: "t1", Release: "rel1", Service: "shop", Environment: "production", Stage: s, Platform: "host",
		FalseAlarm: 0.0025, ExpectedRate: rate, OnUndecided: pipeline.UndecidedHold, Fence: 1, Held: "w1",
		Revision: platform.Revision{ID: fresh, Version: "v2", Settings: []byte(`{"instances":2}`)},
		Memories: map[string]json.RawMessage{},
	}
}

var quick = pipeline.Analysis{
	MarginErrors: 0.02, MarginLatency: 0.5, Block: pipeline.Duration(10 * time.Second), ExposureBudget: 200,
}

func canaryStage() pipeline.Stage {
	return pipeline.Stage{Name: "canary", Kind: pipeline.KindCanary, Canary: &pipeline.Canary{
		Analysis: quick, Every: pipeline.Duration(5 * time.Second), Dwell: pipeline.Duration(10 * time.Second),
		Observation: pipeline.Duration(5 * time.Minute), Holdback: 0.05,
	}}
}

// play ticks the task to its end. lose says, before each tick, whether its outcome
// is lost, as when the worker is killed after it acted and before it reported.
func (w *world) play(t stage.Task, lose func() bool) (stage.Task, stage.Outcome) {
	w.t.Helper()
	e := w.executors()[t.Stage.Kind]
	for range 5000 {
		out, err := e.Tick(context.Background(), t)
		w.legal()
		if err != nil {
			if fault.CodeOf(err) != fault.Conflict {
				w.t.Fatal(err)
			}
			w.now = w.now.Add(time.Second)
			continue
		}
		if lose() {
			w.now = w.now.Add(2 * time.Second)
			t.Fence++
			continue
		}
		t.State = out.State
		if out.Status != stage.Continue {
			return t, out
		}
		if out.Asks != "" {
			return t, out
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	w.t.Fatal("the stage did not end")
	return t, stage.Outcome{}
}

func never() bool { return false }

// legal fails where traffic goes to what is not there.
func (w *world) legal() {
	w.t.Helper()
	sum := 0
	for id, n := range w.weights {
		sum += n
		if _, ok := w.placed[id]; !ok && n > 0 {
			w.t.Fatalf("%s has traffic and is not placed", id)
		}
	}
	if sum != 0 && sum != platform.Whole {
		w.t.Fatalf("the weights are %v", w.weights)
	}
}
