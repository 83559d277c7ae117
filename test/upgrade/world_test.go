package upgrade

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// world stands in for the machine that is gone: its targets are as the recorded router had
// them, and their users go on asking.
type world struct {
	now     func() time.Time
	errors  float64
	machine string

	mu      sync.Mutex
	targets map[string]*platform.State
}

const users = 200.0 // requests per second to each target

func newWorld(t *testing.T, st tables, table string, now func() time.Time, errors float64) *world {
	w := &world{now: now, errors: errors, machine: machine(t, st), targets: map[string]*platform.State{}}
	known := revisions(t, st)
	for target, route := range routes(t, table) {
		s := &platform.State{Fence: route.Fence, Home: route.Home, Weights: platform.Weights{}}
		for _, arm := range route.Arms {
			revision, ok := known[arm.Revision]
			if !ok {
				t.Fatalf("%s has traffic on revision %s, which no release has", target, arm.Revision)
			}
			s.Revisions = append(s.Revisions, up(revision, len(arm.Backends)))
			if arm.Weight > 0 {
				s.Weights[arm.Revision] = arm.Weight
			}
		}
		w.targets[target] = s
	}
	return w
}

// up is a revision that is ready at once.
func up(r platform.Revision, instances int) platform.RevisionState {
	s := platform.RevisionState{Revision: r, Capacity: platform.Capacity{Instances: instances}}
	for range instances {
		s.Instances = append(s.Instances, platform.Instance{ID: r.ID, Ready: true})
	}
	return s
}

func (w *world) executors() map[pipeline.Kind]stage.Executor {
	return stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return w, nil },
		Source:   func(pipeline.Metrics) (metric.Source, error) { return w, nil },
		Commands: commands{w.machine},
		Now:      w.now,
	})
}

func (w *world) Observe(_ context.Context, t platform.Target) (platform.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := *w.target(t)
	weights := platform.Weights{}
	for id, n := range s.Weights {
		weights[id] = n
	}
	s.Weights, s.Revisions = weights, append([]platform.RevisionState(nil), s.Revisions...)
	return s, nil
}

func (w *world) target(t platform.Target) *platform.State {
	s, ok := w.targets[t.String()]
	if !ok {
		s = &platform.State{Weights: platform.Weights{}}
		w.targets[t.String()] = s
	}
	return s
}

// change does f to the target, if the lease is not an older one.
func (w *world) change(t platform.Target, l platform.Lease, f func(*platform.State) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.target(t)
	if l.Fence < s.Fence {
		return platform.Fenced(t, l.Fence, s.Fence)
	}
	s.Fence = l.Fence
	return f(s)
}

func (w *world) Place(_ context.Context, l platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return w.change(t, l, func(s *platform.State) error {
		without(s, r.ID)
		s.Revisions = append(s.Revisions, up(r, c.Instances))
		return nil
	})
}

func (w *world) Route(_ context.Context, l platform.Lease, t platform.Target, weights platform.Weights) error {
	return w.change(t, l, func(s *platform.State) error {
		for id, n := range weights {
			if _, ok := s.Revision(id); !ok {
				return fault.Errorf(fault.Conflict, "revision %s is not there", id)
			}
			if n == platform.Whole {
				s.Home = id
			}
		}
		s.Weights = weights
		return nil
	})
}

func (w *world) Retire(_ context.Context, l platform.Lease, t platform.Target, revision string) error {
	return w.change(t, l, func(s *platform.State) error {
		if s.Weights[revision] > 0 {
			return fault.Errorf(fault.Conflict, "revision %s has traffic", revision)
		}
		without(s, revision)
		return nil
	})
}

func without(s *platform.State, revision string) {
	var rest []platform.RevisionState
	for _, r := range s.Revisions {
		if r.Revision.ID != revision {
			rest = append(rest, r)
		}
	}
	s.Revisions = rest
}

type cursorOfWorld struct{ World time.Time }

// Sample counts what both arms did since the cursor, without chance. It cannot go on from the
// cursor of the recorded router, and says so as that would after it was started anew.
func (w *world) Sample(_ context.Context, ask metric.Ask, cursor []byte) (judge.Sample, []byte, error) {
	sample := judge.Sample{At: ask.Now, Weight: ask.Weight}
	var since cursorOfWorld
	_ = json.Unmarshal(cursor, &since)
	next, err := json.Marshal(cursorOfWorld{ask.Now})
	if err != nil || since.World.IsZero() {
		sample.Missing = "first look"
		return sample, next, err
	}
	total := users * ask.Now.Sub(since.World).Seconds()
	arm := func(share, errors float64) judge.Arm {
		n := math.Round(total * share)
		return judge.Arm{Requests: int64(n), Errors: int64(math.Round(n * errors)), Instances: 1, WarmInstances: 1}
	}
	sample.Canary, sample.Stable = arm(ask.Weight, w.errors), arm(1-ask.Weight, 0.002)
	return sample, next, nil
}

// commands end well, at once.
type commands struct{ machine string }

func (commands) Start(context.Context, string, command.Spec) error { return nil }
func (commands) Stop(context.Context, string) error                { return nil }
func (c commands) Where() string                                   { return c.machine }
func (commands) Observe(string) (command.State, error) {
	return command.State{Phase: command.Ended}, nil
}

// home is the version that has all of the target's traffic; empty if none has.
func (w *world) home(t platform.Target) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.target(t)
	r, _ := s.Revision(s.Home)
	if s.Weights[s.Home] != platform.Whole {
		return ""
	}
	return r.Revision.Version
}

// placed counts the versions that run.
func (w *world) placed(t platform.Target) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.target(t).Revisions)
}

var (
	_ platform.Platform = (*world)(nil)
	_ metric.Source     = (*world)(nil)
)
