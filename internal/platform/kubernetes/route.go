package kubernetes

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Route writes the weights, and with them the fence.
func (p *Platform) Route(ctx context.Context, lease platform.Lease, t platform.Target, weights platform.Weights) error {
	weights, err := whole(weights)
	if err != nil {
		return err
	}
	return p.change(ctx, t, "route", func(w *world) error {
		// Later, Place has looked: whatever has come since, traffic can be taken back.
		if w.mark == nil && (len(w.sides) > 0 || w.home != nil) {
			if err := p.admissible(w); err != nil {
				return err
			}
		}
		shares, err := p.bearers(ctx, w, weights)
		if err != nil {
			return fenceFirst(w, lease, t, err)
		}
		if err := p.unpublished(ctx, w, shares); err != nil {
			return fenceFirst(w, lease, t, err)
		}
		if err := p.mayFollow(ctx, w, shares); err != nil {
			return fenceFirst(w, lease, t, err)
		}
		if err := fenceFirst(w, lease, t, nil); err != nil {
			return err
		}
		if err := p.holdHome(ctx, w, weights); err != nil {
			return err
		}
		return p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
			now, agree := w.split.shares()
			same := maps.Equal(m.Weights, weights) && agree && sameShares(now, shares)
			if same {
				return nil, nil
			}
			m.Weights, m.RoutedAt = weights, p.config.Now().UTC()
			for id, ppm := range weights {
				if ppm == platform.Whole {
					m.Home = id
				}
			}
			return w.split.give(m, p.services(w), shares), nil
		})
	})
}

// whole drops what has no weight, and refuses what does not sum to the whole.
func whole(weights platform.Weights) (platform.Weights, error) {
	some, sum := platform.Weights{}, 0
	for id, ppm := range weights {
		if ppm < 0 || ppm > platform.Whole {
			return nil, fault.Errorf(fault.Invalid, "weight %d of revision %s is not between 0 and %d", ppm, id, platform.Whole)
		}
		if ppm > 0 {
			some[id] = ppm
		}
		sum += ppm
	}
	if len(weights) > 0 && sum != platform.Whole {
		return nil, fault.Errorf(fault.Invalid, "the weights sum to %d, not to %d", sum, platform.Whole)
	}
	return some, nil
}

// bearers are the shares of the Services that the revisions' traffic goes to. A revision
// that cannot bear any is refused.
func (p *Platform) bearers(ctx context.Context, w *world, weights platform.Weights) (map[string]int, error) {
	shares := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(weights)) {
		service, there := p.service(w, id)
		if !there || w.mark != nil && slices.Contains(w.mark.Away, id) {
			return nil, fault.Errorf(fault.Conflict, "revision %s is not on the target", id).WithHint("place it first")
		}
		if p.ready(w, id) == 0 {
			return nil, fault.Errorf(fault.Conflict, "revision %s has no ready instance", id).
				WithHint("place it and wait until Observe shows a ready instance")
		}
		shares[service] += weights[id]
	}
	return shares, w.split.possible(shares, func(service string) int {
		id, _ := p.revisionOf(w, service)
		return p.ready(w, id)
	})
}

// ready is how many pods of the revision are, where its traffic goes. It asks nobody: a
// rollback must not wait for the logs of a node that is lost.
func (p *Platform) ready(w *world, id string) int {
	d := w.home
	if s, ok := w.side(id); ok {
		d = s.deployment
	}
	n := 0
	for _, pod := range w.podsOf(d) {
		if p.serves(pod) {
			n++
		}
	}
	return n
}

// holdHome keeps the home's capacity when the first traffic leaves it: its autoscaler
// would take it down just when it may be needed.
func (p *Platform) holdHome(ctx context.Context, w *world, weights platform.Weights) error {
	now, _ := w.split.shares()
	if w.home == nil || len(now) > 1 || len(weights) < 2 {
		return nil
	}
	hpa, err := p.autoscaler(ctx)
	if err != nil || hpa == nil {
		return err
	}
	return p.keepCapacity(ctx, hpa, replicas(w.home))
}
