package platformtest

import (
	"reflect"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

func emptyTarget(b *bench) {
	if s := b.observe(); s.Fence != 0 || s.Home != "" || len(s.Revisions) != 0 || len(s.Weights) != 0 {
		b.Errorf("it is %+v", s)
	}
}

func placeGivesNoTraffic(b *bench) {
	v1 := b.Good("v1")
	b.ready(v1, 1)
	s := b.observe()
	state, _ := s.Revision(v1.ID)
	if i := state.Instances[0]; i.ID == "" || i.Address == "" || i.StartedAt.IsZero() || i.Failed {
		b.Errorf("the instance is %+v", i)
	}
	if len(s.Weights) != 0 || s.Home != "" {
		b.Errorf("weights %v and home %q without a route", s.Weights, s.Home)
	}
}

func placeIsIdempotent(b *bench) {
	v1 := b.Good("v1")
	b.ready(v1, 2)
	before := b.observe()
	b.place(v1, 2)
	if after := b.observe(); !reflect.DeepEqual(before, after) {
		b.Errorf("the second place changed %+v into %+v", before, after)
	}
}

func placeResizes(b *bench) {
	v1 := b.Good("v1")
	for _, n := range []int{1, 3, 2} {
		b.ready(v1, n)
		if state, _ := b.observe().Revision(v1.ID); state.Capacity.Instances != n {
			b.Errorf("the capacity is %d, not %d", state.Capacity.Instances, n)
		}
	}
}

func revisionSurvives(b *bench) {
	v1 := b.Good("v1")
	b.place(v1, 1)
	state, there := b.observe().Revision(v1.ID)
	if !there || !reflect.DeepEqual(state.Revision, v1) {
		b.Errorf("given %+v, observed %+v", v1, state.Revision)
	}
}

func sideBySide(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	s := b.observe()
	one, _ := s.Revision(v1.ID)
	two, _ := s.Revision(v2.ID)
	if one.Ready() != 1 || two.Ready() != 1 || one.Instances[0].ID == two.Instances[0].ID {
		b.Errorf("they are %+v and %+v", one, two)
	}
}

func neverReady(b *bench)  { fails(b, b.NeverReady()) }
func cannotStart(b *bench) { fails(b, b.CannotStart()) }

// fails expects that the revision gives up with a message, gets no traffic, and can be taken away.
func fails(b *bench, bad platform.Revision) {
	b.place(bad, 1)
	b.until("the instance failed", func(s platform.State) bool {
		state, _ := s.Revision(bad.ID)
		return len(state.Instances) == 1 && state.Instances[0].Failed
	})
	b.place(bad, 1) // the same lease does not try again
	state, _ := b.observe().Revision(bad.ID)
	if i := state.Instances[0]; !i.Failed || i.Ready || i.Message == "" {
		b.Errorf("the instance is %+v", i)
	}
	b.refused("route to it", b.tryRoute(platform.Weights{bad.ID: platform.Whole}), fault.Conflict)
	b.retire(bad.ID)
	if _, there := b.observe().Revision(bad.ID); there {
		b.Error("it is still there after it was retired")
	}
}

func weightsSum(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	for _, bad := range []platform.Weights{
		{v1.ID: platform.Whole - 1},
		{v1.ID: platform.Whole, v2.ID: 1},
		{v1.ID: platform.Whole + 1, v2.ID: -1},
	} {
		b.refused("weights that are not a whole", b.tryRoute(bad), fault.Invalid)
	}
	b.weights(platform.Weights{v1.ID: platform.Whole})
}

// noWeights takes all traffic away, as a first release that failed needs it.
func noWeights(b *bench) {
	v1 := b.Good("v1")
	b.route(nil) // nothing was there yet
	b.ready(v1, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.route(nil)
	b.route(nil)
	b.weights(nil)
	if fence := b.observe().Fence; fence != b.lease.Fence {
		b.Errorf("the fence is %d, not %d", fence, b.lease.Fence)
	}
	b.lease.Fence--
	b.refused("route with an older fence", b.tryRoute(platform.Weights{v1.ID: platform.Whole}), fault.Conflict)
	b.lease.Fence++
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.served(v1.ID)
	b.route(nil)
	b.retire(v1.ID)
}

func routeNeedsReady(b *bench) {
	v1, late := b.Good("v1"), b.NeverReady()
	b.ready(v1, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.place(late, 1)
	b.refused("a share for what is not ready", b.tryRoute(platform.Weights{v1.ID: 950_000, late.ID: 50_000}), fault.Conflict)
	b.refused("a share for what is not there", b.tryRoute(platform.Weights{v1.ID: 950_000, "nobody": 50_000}), fault.Conflict)
	b.weights(platform.Weights{v1.ID: platform.Whole})
}

func routeMoves(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.served(v1.ID)
	split := b.nearest(platform.Weights{v1.ID: 900_000, v2.ID: 100_000})
	b.route(split)
	b.route(split)
	b.weights(split)
	b.route(platform.Weights{v1.ID: 0, v2.ID: platform.Whole})
	b.weights(platform.Weights{v2.ID: platform.Whole})
	b.served(v2.ID)
}

// routesThePossible routes each weight that the platform says is possible, up and down; of
// one that can give any, some that few can.
func routesThePossible(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 2)
	b.ready(v2, 2)
	b.route(platform.Weights{v1.ID: platform.Whole})
	weights := b.possible(2)
	slices.Sort(weights)
	if len(weights) > 0 {
		split := platform.Weights{v1.ID: platform.Whole - weights[0]/2, v2.ID: weights[0] / 2}
		b.refused("half of the smallest possible weight", b.tryRoute(split), fault.Conflict)
		b.weights(platform.Weights{v1.ID: platform.Whole})
	} else {
		weights = []int{1, 123_456, platform.Whole - 1}
	}
	for _, up := range []bool{true, false} {
		for _, ppm := range weights {
			split := platform.Weights{v1.ID: platform.Whole - ppm, v2.ID: ppm}
			b.route(split)
			b.weights(split)
		}
		if slices.Reverse(weights); up {
			b.route(platform.Weights{v2.ID: platform.Whole})
			b.served(v2.ID)
			b.route(platform.Weights{v1.ID: platform.Whole})
			b.served(v1.ID)
		}
	}
}

// served expects that every request is answered by the revision.
func (b *bench) served(id string) {
	b.Helper()
	if b.Serving == nil {
		b.Log("not tried: requests, for the fixture cannot send any")
		return
	}
	late := time.Now().Add(b.Lag)
	for n := 0; n < 20; n++ {
		got := b.Serving(b.T)
		if got != id && time.Now().After(late) {
			b.Fatalf("%q answered, not %q", got, id)
		}
		if got != id {
			n = -1 // not yet, or not for good: from the beginning
		}
	}
}

func homeFollows(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	for _, step := range []struct {
		weights platform.Weights
		home    string
	}{
		{platform.Weights{v1.ID: platform.Whole}, v1.ID},
		{platform.Weights{v1.ID: 950_000, v2.ID: 50_000}, v1.ID},
		{platform.Weights{v1.ID: 50_000, v2.ID: 950_000}, v1.ID},
		{platform.Weights{v2.ID: platform.Whole}, v2.ID},
		{platform.Weights{v1.ID: 500_000, v2.ID: 500_000}, v2.ID},
		{platform.Weights{v1.ID: platform.Whole}, v1.ID},
	} {
		b.route(b.nearest(step.weights))
		if home := b.observe().Home; home != step.home {
			b.Errorf("with %v home is %q, not %q", step.weights, home, step.home)
		}
	}
}
