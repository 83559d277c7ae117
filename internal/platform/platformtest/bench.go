package platformtest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// bench is one test's place to work: the fixture, and verbs that must succeed.
type bench struct {
	*testing.T
	Fixture
	lease platform.Lease
}

func (b *bench) place(r platform.Revision, instances int) {
	b.Helper()
	if err := b.Platform.Place(b.Context(), b.lease, b.Target, r, platform.Capacity{Instances: instances}); err != nil {
		b.Fatalf("place %s: %v", r.ID, err)
	}
}

func (b *bench) route(w platform.Weights) {
	b.Helper()
	if err := b.tryRoute(w); err != nil {
		b.Fatalf("route %v: %v", w, err)
	}
}

func (b *bench) tryRoute(w platform.Weights) error {
	return b.Platform.Route(b.Context(), b.lease, b.Target, w)
}

func (b *bench) retire(id string) {
	b.Helper()
	if err := b.tryRetire(id); err != nil {
		b.Fatalf("retire %s: %v", id, err)
	}
}

func (b *bench) tryRetire(id string) error {
	return b.Platform.Retire(b.Context(), b.lease, b.Target, id)
}

func (b *bench) observe() platform.State {
	b.Helper()
	s, err := b.Platform.Observe(b.Context(), b.Target)
	if err != nil {
		b.Fatalf("observe: %v", err)
	}
	return s
}

// ready places the revision and waits until all its instances are ready.
func (b *bench) ready(r platform.Revision, instances int) {
	b.Helper()
	b.place(r, instances)
	b.until(fmt.Sprintf("%d instances of %s are ready", instances, r.ID), func(s platform.State) bool {
		state, _ := s.Revision(r.ID)
		return state.Ready() == instances && len(state.Instances) == instances
	})
}

// until observes again and again until the condition holds.
func (b *bench) until(what string, condition func(platform.State) bool) platform.State {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s := b.observe()
		if condition(s) {
			return s
		}
		select {
		case <-ctx.Done():
			b.Fatalf("not within %s: %s; the target is %+v", b.Patience, what, s)
		case <-tick.C:
		}
	}
}

// possible are the weights that the platform can give a revision beside the home with so
// many instances; none if it can give any.
func (b *bench) possible(instances int) []int {
	b.Helper()
	w, ok := b.Platform.(platform.Weigher)
	if !ok {
		return nil
	}
	all, err := w.CanaryWeights(b.Context(), b.Target, platform.Capacity{Instances: instances})
	if err != nil {
		b.Fatalf("ask for the possible weights: %v", err)
	}
	return all
}

// nearest are the weights themselves or, where the platform cannot give all, those of two
// revisions that come nearest to them.
func (b *bench) nearest(w platform.Weights) platform.Weights {
	b.Helper()
	s := b.observe()
	for id := range w {
		state, _ := s.Revision(id)
		possible := b.possible(state.Capacity.Instances)
		if id == s.Home || len(w) != 2 || len(possible) == 0 {
			continue
		}
		far := func(ppm int) int { return max(ppm-w[id], w[id]-ppm) }
		best := slices.MinFunc(possible, func(x, y int) int { return far(x) - far(y) })
		return platform.Weights{id: best, s.Home: platform.Whole - best}
	}
	return w
}

// refused expects a fault with the code.
func (b *bench) refused(what string, err error, code fault.Code) {
	b.Helper()
	if got := fault.CodeOf(err); got != code {
		b.Errorf("%s: got %q (%v), want %q", what, got, err, code)
	}
}

func (b *bench) weights(want platform.Weights) {
	b.Helper()
	got := b.observe().Weights
	if len(got) != len(want) {
		b.Errorf("the weights are %v, not %v", got, want)
		return
	}
	for id, w := range want {
		if got[id] != w {
			b.Errorf("the weights are %v, not %v", got, want)
			return
		}
	}
}
