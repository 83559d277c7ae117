package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// world is the platform of all targets and their users. Its time runs faster than the
// clock, so that minutes of a canary pass in seconds; verbs take no time.
type world struct {
	began time.Time
	speed float64

	mu      sync.Mutex
	random  *rand.Rand
	targets map[platform.Target]*platform.State
}

func newWorld(speed float64, seed uint64) *world {
	return &world{began: time.Now(), speed: speed, random: rand.New(rand.NewPCG(seed, 0)), targets: map[platform.Target]*platform.State{}}
}

func (w *world) now() time.Time {
	return w.began.Add(time.Duration(float64(time.Since(w.began)) * w.speed))
}

// The users of a target, and what they see of any version.
const (
	requests  = 10_000.0 // a second
	errorRate = 0.002
	instances = 4
)

// atHome is what every target runs before its first release.
const atHome = "before"

// target is the state of one, in which there is a version at home from the beginning.
func (w *world) target(t platform.Target) *platform.State {
	s := w.targets[t]
	if s == nil {
		r := platform.Revision{ID: atHome, Version: "v0", Settings: json.RawMessage(`{"instances":4}`)}
		s = &platform.State{Home: atHome, Weights: platform.Weights{atHome: platform.Whole}, Revisions: []platform.RevisionState{w.running(r, instances)}}
		w.targets[t] = s
	}
	return s
}

func (w *world) running(r platform.Revision, n int) platform.RevisionState {
	s := platform.RevisionState{Revision: r, Capacity: platform.Capacity{Instances: n}}
	for i := range n {
		s.Instances = append(s.Instances, platform.Instance{ID: fmt.Sprintf("%s-%d", r.ID, i), Ready: true, StartedAt: w.now()})
	}
	return s
}

// Observe returns a copy.
func (w *world) Observe(_ context.Context, t platform.Target) (platform.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := *w.target(t)
	s.Revisions = append([]platform.RevisionState(nil), s.Revisions...)
	weights := platform.Weights{}
	for k, v := range s.Weights {
		weights[k] = v
	}
	s.Weights = weights
	return s, nil
}

// change lets a lease change a target, unless a newer one has.
func (w *world) change(l platform.Lease, t platform.Target, f func(*platform.State)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.target(t)
	if l.Fence < s.Fence {
		return platform.Fenced(t, l.Fence, s.Fence)
	}
	s.Fence = l.Fence
	f(s)
	return nil
}

// Place brings a revision up at once.
func (w *world) Place(_ context.Context, l platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return w.change(l, t, func(s *platform.State) {
		for i := range s.Revisions {
			if s.Revisions[i].Revision.ID == r.ID {
				s.Revisions[i] = w.running(r, c.Instances)
				return
			}
		}
		s.Revisions = append(s.Revisions, w.running(r, c.Instances))
	})
}

// Route splits the traffic at once.
func (w *world) Route(_ context.Context, l platform.Lease, t platform.Target, weights platform.Weights) error {
	return w.change(l, t, func(s *platform.State) {
		s.Weights = weights
		for id, n := range weights {
			if n == platform.Whole {
				s.Home = id
			}
		}
	})
}

// Retire takes a revision away at once.
func (w *world) Retire(_ context.Context, l platform.Lease, t platform.Target, id string) error {
	return w.change(l, t, func(s *platform.State) {
		for i := range s.Revisions {
			if s.Revisions[i].Revision.ID == id {
				s.Revisions = append(s.Revisions[:i:i], s.Revisions[i+1:]...)
				return
			}
		}
	})
}

// bounds are those of a usual histogram of latencies, and shares what of the requests is
// below each and above the last.
var (
	bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	shares = []float64{0.02, 0.08, 0.3, 0.3, 0.15, 0.08, 0.055, 0.01, 0.003, 0.001, 0.0005, 0.0003, 0.0001, 0.0001, 0}
)

// Sample draws what both arms did since the cursor.
func (w *world) Sample(_ context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	s := judge.Sample{At: ask.Now, Weight: ask.Weight}
	next, err := json.Marshal(ask.Now)
	if err != nil || len(cursor) == 0 {
		s.Missing = "first look"
		return s, next, err
	}
	var since time.Time
	if err := json.Unmarshal(cursor, &since); err != nil {
		return s, nil, err
	}
	n := requests * ask.Now.Sub(since).Seconds()
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Stable, s.Canary = w.arm(ask.Stable, n*(1-ask.Weight)), w.arm(ask.Canary, n*ask.Weight)
	return s, next, nil
}

func (w *world) arm(revision string, mean float64) judge.Arm {
	a := judge.Arm{Instances: instances, WarmInstances: instances, ErrorsBy: []judge.InstanceErrors{}}
	a.Latency = judge.Histogram{Bounds: bounds, Counts: make([]int64, len(shares))}
	for i, share := range shares {
		a.Latency.Counts[i] = w.draw(mean * share)
		a.Requests += a.Latency.Counts[i]
	}
	for i := range instances {
		if n := w.draw(float64(a.Requests) * errorRate / instances); n > 0 {
			a.ErrorsBy = append(a.ErrorsBy, judge.InstanceErrors{Instance: fmt.Sprintf("%s-%d", revision, i), Errors: n})
			a.Errors += n
		}
	}
	return a
}

// draw is a number of that mean, as independent requests give.
func (w *world) draw(mean float64) int64 {
	return max(0, int64(math.Round(mean+math.Sqrt(mean)*w.random.NormFloat64())))
}

// executors are the real ones, in this world.
func (w *world) executors() map[pipeline.Kind]stage.Executor {
	all := stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
		Now:      w.now,
	})
	for kind, e := range all {
		all[kind] = hastened{e, w.speed}
	}
	return all
}

// hastened waits as much less between two ticks as its world's time is faster.
type hastened struct {
	stage.Executor
	speed float64
}

func (h hastened) Tick(ctx context.Context, t stage.Task) (stage.Outcome, error) {
	out, err := h.Executor.Tick(ctx, t)
	out.After = time.Duration(float64(out.After) / h.speed)
	return out, err
}

// still does nothing, for ever: its tasks are held and there is nothing to say of them.
type still struct{}

func (still) Tick(context.Context, stage.Task) (stage.Outcome, error) {
	return stage.Outcome{Status: stage.Continue, After: time.Hour}, nil
}
