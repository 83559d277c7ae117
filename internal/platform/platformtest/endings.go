package platformtest

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

func retireRefusesWeight(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	least := b.nearest(platform.Weights{v1.ID: 999_999, v2.ID: 1})
	b.route(least)
	b.refused("retire a revision with the least weight", b.tryRetire(v2.ID), fault.Conflict)
	if state, _ := b.observe().Revision(v2.ID); state.Ready() != 1 {
		b.Errorf("the refusal left it %+v", state)
	}
	b.weights(least)
}

func retireIsIdempotent(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.retire("nobody")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.retire(v2.ID)
	b.retire(v2.ID)
	s := b.observe()
	if _, there := s.Revision(v2.ID); there || len(s.Revisions) != 1 || s.Home != v1.ID {
		b.Errorf("afterwards: %+v", s)
	}
	b.weights(platform.Weights{v1.ID: platform.Whole})
}

func retiredComesBack(b *bench) {
	v1 := b.Good("v1")
	b.ready(v1, 1)
	b.retire(v1.ID)
	b.ready(v1, 2)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.served(v1.ID)
}

func oldFence(b *bench) {
	v1, v2, v3 := b.Good("v1"), b.Good("v2"), b.Good("v3")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	before := b.observe()
	if before.Fence != b.lease.Fence {
		b.Errorf("the fence is %d, not %d", before.Fence, b.lease.Fence)
	}
	b.lease.Fence--
	for verb, err := range map[string]error{
		"place":            b.Platform.Place(b.Context(), b.lease, b.Target, v3, platform.Capacity{Instances: 1}),
		"resize":           b.Platform.Place(b.Context(), b.lease, b.Target, v1, platform.Capacity{Instances: 3}),
		"route":            b.tryRoute(platform.Weights{v2.ID: platform.Whole}),
		"retire":           b.tryRetire(v2.ID),
		"retire a nothing": b.tryRetire("nobody"),
	} {
		b.refused(verb, err, fault.Conflict)
		if !errors.Is(err, platform.ErrFenced) {
			b.Errorf("%s: ErrFenced is not in the chain of %v", verb, err)
		}
		if seen := platform.SeenFence(err); seen != before.Fence {
			b.Errorf("%s: the refusal tells fence %d, the target has seen %d", verb, seen, before.Fence)
		}
	}
	if after := b.observe(); !reflect.DeepEqual(before, after) {
		b.Errorf("the refused verbs changed %+v into %+v", before, after)
	}
}

// sameFence is what a server may give to two workers once its database has come from
// a backup: who was first leads.
func sameFence(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	before := b.observe()
	holder := b.lease.Holder
	b.lease.Holder = "another"
	for verb, err := range map[string]error{
		"place":  b.Platform.Place(b.Context(), b.lease, b.Target, v1, platform.Capacity{Instances: 2}),
		"route":  b.tryRoute(platform.Weights{v2.ID: platform.Whole}),
		"retire": b.tryRetire(v2.ID),
	} {
		b.refused(verb, err, fault.Conflict)
		if seen := platform.SeenFence(err); seen != before.Fence {
			b.Errorf("%s: the refusal tells fence %d, the target has seen %d", verb, seen, before.Fence)
		}
	}
	b.lease.Holder = holder
	b.route(platform.Weights{v2.ID: platform.Whole})
}

// newFence lets the fence come in through each verb in turn.
func newFence(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.ready(v2, 1)
	for verb, do := range map[string]func(){
		"place":  func() { b.place(v1, 1) },
		"route":  func() { b.route(platform.Weights{v1.ID: platform.Whole}) },
		"retire": func() { b.retire(v2.ID) },
	} {
		do()
		b.lease.Fence += 5
		do()
		if fence := b.observe().Fence; fence != b.lease.Fence {
			b.Errorf("after %s the fence is %d, not %d", verb, fence, b.lease.Fence)
		}
		b.lease.Fence--
		b.refused("route with the fence before", b.tryRoute(platform.Weights{v1.ID: platform.Whole}), fault.Conflict)
		b.lease.Fence++
	}
}

func crash(b *bench) {
	if b.Crash == nil {
		b.Skip("the fixture cannot crash an instance")
	}
	v1 := b.Good("v1")
	b.ready(v1, 2)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.Crash(b.T, v1.ID)
	b.until("the crashed instance is back", func(s platform.State) bool {
		state, _ := s.Revision(v1.ID)
		restarts := 0
		for _, i := range state.Instances {
			restarts += i.Restarts
		}
		return state.Ready() == 2 && restarts == 1
	})
	b.weights(platform.Weights{v1.ID: platform.Whole})
	if fence := b.observe().Fence; fence != b.lease.Fence {
		b.Errorf("the fence is %d, not %d", fence, b.lease.Fence)
	}
	b.served(v1.ID)
}

// concurrentVerbs lets several workers of one lease do everything at once. Some
// verbs may be refused; no observation may show a state that no verb left.
func concurrentVerbs(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	var group sync.WaitGroup
	for n := range 4 {
		p := b.Platform
		if n%2 == 1 {
			p = b.Reopen(b.T)
		}
		group.Go(func() { b.busyWorker(p, v1, v2) })
	}
	group.Wait()
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.retire(v2.ID)
	s := b.observe()
	if state, _ := s.Revision(v1.ID); len(s.Revisions) != 1 || state.Ready() != 1 || len(state.Instances) != 1 {
		b.Errorf("in the end: %+v", s)
	}
	b.served(v1.ID)
}

func (b *bench) busyWorker(p platform.Platform, v1, v2 platform.Revision) {
	ctx, whole := b.Context(), platform.Weights{v1.ID: platform.Whole}
	for range 3 {
		b.allowed("place", p.Place(ctx, b.lease, b.Target, v2, platform.Capacity{Instances: 1}))
		b.allowed("route", p.Route(ctx, b.lease, b.Target, platform.Weights{v1.ID: 500_000, v2.ID: 500_000}))
		b.wholeState(ctx, p)
		b.allowed("route", p.Route(ctx, b.lease, b.Target, whole))
		b.allowed("retire", p.Retire(ctx, b.lease, b.Target, v2.ID))
		b.wholeState(ctx, p)
	}
}

// allowed takes success and the refusals that another worker's verb can cause.
func (b *bench) allowed(verb string, err error) {
	if code := fault.CodeOf(err); err != nil && code != fault.Conflict && code != fault.Unavailable {
		b.Errorf("%s: %v", verb, err)
	}
}

func (b *bench) wholeState(ctx context.Context, p platform.Platform) {
	s, err := p.Observe(ctx, b.Target)
	if err != nil {
		b.Errorf("observe: %v", err)
		return
	}
	sum := 0
	for _, w := range s.Weights {
		sum += w
	}
	if sum != platform.Whole {
		b.Errorf("the weights %v sum to %d", s.Weights, sum)
	}
}

func restartedWorker(b *bench) {
	v1, v2 := b.Good("v1"), b.Good("v2")
	b.ready(v1, 2)
	b.ready(v2, 1)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.route(b.nearest(platform.Weights{v1.ID: 900_000, v2.ID: 100_000}))
	before := b.observe()
	b.Platform = b.Reopen(b.T)
	if after := b.observe(); !reflect.DeepEqual(before, after) {
		b.Errorf("the restarted worker sees %+v, not %+v", after, before)
	}
	b.place(v1, 2)
	b.route(platform.Weights{v1.ID: platform.Whole})
	b.retire(v2.ID)
	state, _ := b.observe().Revision(v1.ID)
	old, _ := before.Revision(v1.ID)
	if !reflect.DeepEqual(state.Instances, old.Instances) {
		b.Errorf("the instances were %+v and are %+v", old.Instances, state.Instances)
	}
	b.lease.Fence--
	b.refused("an older fence after the restart", b.tryRoute(platform.Weights{v1.ID: platform.Whole}), fault.Conflict)
}
