package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Settle brings the revision that has all the traffic from its side into the home: the
// home is updated while the side bears the traffic, gets the traffic when it is ready, and
// the side goes when nobody is sent there any more.
func (p *Platform) Settle(ctx context.Context, lease platform.Lease, t platform.Target, revision string) (awaits string, err error) {
	err = p.change(ctx, t, "settle "+revision+" on", func(w *world) error {
		awaits = ""
		weights, _ := p.weights(w)
		if weights[revision] != platform.Whole {
			return fenceFirst(w, lease, t, fault.Errorf(fault.Conflict, "revision %s has not all of the traffic", revision))
		}
		s, beside := w.side(revision)
		if shares, _ := w.split.shares(); !beside && shares[p.settings.Service] != platform.Whole {
			awaits, err = p.settleDeleted(ctx, w, lease, t, revision)
			return err
		}
		if !beside {
			err := p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
				m.Away = p.away(w, m.Away, "")
				return nil, nil
			})
			if err != nil {
				return err
			}
			if err := p.keepMade(ctx, w); err != nil {
				return err
			}
			return p.afterLast(ctx, w, "")
		}
		awaits, err = p.settleStep(ctx, w, lease, t, s)
		return err
	})
	return awaits, err
}

// settleDeleted sends the traffic of a side that somebody has deleted to the home, if that runs
// the revision already: with few pods it serves users better than nobody does.
func (p *Platform) settleDeleted(ctx context.Context, w *world, lease platform.Lease, t platform.Target, revision string) (string, error) {
	gone := "somebody has deleted the Deployment " + p.sideName(revision)
	if !w.atHome(revision) {
		return "", fenceFirst(w, lease, t, fault.Errorf(fault.Conflict, "%s, which had all the traffic", gone).
			WithHint("roll back: the Deployment %s still runs the former version", p.settings.Deployment))
	}
	if p.ready(w, revision) == 0 {
		return gone + ", and no pod of the Deployment " + p.settings.Deployment + " is ready yet", nil
	}
	return gone + "; the traffic goes to the Deployment " + p.settings.Deployment, p.moveIn(ctx, w, lease, t, revision)
}

// settleStep takes the next step of a revision that is still on its side.
func (p *Platform) settleStep(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) (string, error) {
	shares, _ := w.split.shares()
	atHome, onSide := shares[p.settings.Service], shares[p.sideName(s.revision.ID)]
	drained := w.mark != nil && p.config.Now().Sub(w.mark.RoutedAt) >= time.Duration(p.settings.Drain)
	switch {
	case !w.atHome(s.revision.ID) && !drained:
		return "requests to the former version come to their end", nil
	case !w.atHome(s.revision.ID) && p.settings.Controller != "":
		return p.followHome(ctx, w, lease, t, s)
	case !w.atHome(s.revision.ID):
		return "the Deployment " + p.settings.Deployment + " is updated", p.updateHome(ctx, w, lease, t, s)
	case onSide > 0:
		if grows, err := p.growHome(ctx, w, lease, t, s); err != nil || grows != "" {
			return grows, err
		}
		if left := p.unready(ctx, w); left != "" {
			return left, nil
		}
		if left, err := p.unreached(ctx, w); err != nil || left != "" {
			return left, err
		}
		return "the traffic goes to the Deployment " + p.settings.Deployment, p.moveIn(ctx, w, lease, t, s.revision.ID)
	case atHome != platform.Whole:
		return "", fault.Errorf(fault.Conflict, "the Service %s has %d of the traffic, not all", p.settings.Service, atHome)
	case !drained:
		return "requests to the canary's pods come to their end", nil
	}
	return "", p.leaveSide(ctx, w, lease, t, s)
}

// growHome gives a home that is too small the pods that its traffic needs, and says so: one
// that somebody has made smaller meanwhile, or one that its autoscaler has kept small while it
// had no load. A home whose size a controller decides, and no autoscaler, is left as it is.
func (p *Platform) growHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) (string, error) {
	if replicas(w.home) >= replicas(s.deployment) {
		return "", nil
	}
	if hpa, err := p.autoscaler(ctx); err != nil || hpa == nil && p.settings.Controller != "" {
		return "", err
	}
	n, err := p.toBear(ctx, s)
	if err != nil || replicas(w.home) >= n {
		return "", err
	}
	if err := p.claim(ctx, w, lease, t, nil); err != nil {
		return "", err
	}
	if err := p.sure(ctx, w); err != nil {
		return "", err
	}
	return fmt.Sprintf("the Deployment %s gets the %d pods that bear the traffic beside it", p.settings.Deployment, n),
		p.resizeHome(ctx, w, lease, platform.Capacity{Instances: int(n)})
}

// toBear is how many pods the home needs for the traffic of a side: as many, or the most that
// the home's autoscaler allows. That is kept from taking them away again while they have no load.
func (p *Platform) toBear(ctx context.Context, s side) (int32, error) {
	hpa, err := p.autoscaler(ctx)
	if err != nil || hpa == nil {
		return replicas(s.deployment), err
	}
	n := enough(replicas(s.deployment), maximumOf(hpa))
	return n, p.keepCapacity(ctx, hpa, n)
}

// enough is n, or the maximum that an autoscaler has.
func enough(n int32, maximum int64) int32 { return int32(min(int64(n), maximum)) }

// unready says what is missing until the home can take the traffic: all of its pods are to
// be new and ready, for as long as there are old ones it leads to these too. Without pods it
// never can.
func (p *Platform) unready(ctx context.Context, w *world) string {
	now := p.revision(ctx, w, w.home, w.homeRevision)
	if now.Capacity.Instances == 0 {
		return fmt.Sprintf("the Deployment %s is scaled to no pods; scale it up", p.settings.Deployment)
	}
	if ready, want := now.Ready(), now.Capacity.Instances; ready < want {
		text := fmt.Sprintf("%d of %d pods of the Deployment %s are ready", ready, want, p.settings.Deployment)
		for _, i := range now.Instances {
			if i.Message != "" {
				return text + "; " + i.ID + ": " + i.Message
			}
		}
		return text
	}
	n := 0
	for _, pod := range w.formerPodsOf(w.home) {
		if ready, _ := readyCondition(pod); ready {
			n++
		}
	}
	if n > 0 {
		return fmt.Sprintf("%d pods of the former version of the Deployment %s end", n, p.settings.Deployment)
	}
	return ""
}

// unreached says which of the home's pods gateways do not know yet.
func (p *Platform) unreached(ctx context.Context, w *world) (string, error) {
	if p.byPods() {
		return "", nil
	}
	pods := slices.DeleteFunc(slices.Clone(w.podsOf(w.home)), func(pod *corev1.Pod) bool { return !p.serves(pod) || pod.DeletionTimestamp != nil })
	n, err := p.published(ctx, p.settings.Service, pods)
	if err != nil || n == len(pods) {
		return "", err
	}
	return fmt.Sprintf("%d of %d pods of the Deployment %s are endpoints of the Service %s", n, len(pods), p.settings.Deployment, p.settings.Service), nil
}

// moveIn sends the traffic to the home.
func (p *Platform) moveIn(ctx context.Context, w *world, lease platform.Lease, t platform.Target, revision string) error {
	return p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		m.Home, m.Weights, m.Moving = revision, platform.Weights{revision: platform.Whole}, ""
		m.RoutedAt = p.config.Now().UTC()
		return w.split.give(m, p.services(w), map[string]int{p.settings.Service: platform.Whole}), nil
	})
}

// leaveSide takes the side away and gives back what was held for its time.
func (p *Platform) leaveSide(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) error {
	err := p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		m.Away = nil
		return w.split.without(m, p.sideName(s.revision.ID), p.services(w)), nil
	})
	if err != nil {
		return err
	}
	if err := p.sure(ctx, w); err != nil {
		return err
	}
	if err := p.afterLast(ctx, w, s.revision.ID); err != nil {
		return err
	}
	if p.settings.Controller == "" { // which has applied them itself
		err = p.applyRest(ctx, s.revision)
	} else {
		err = p.keepAccounts(ctx, s)
	}
	if err != nil {
		return err
	}
	return p.delete(ctx, s.deployment)
}

// applyRest writes the manifests that no pod waits for, now that the home bears the traffic.
func (p *Platform) applyRest(ctx context.Context, r platform.Revision) error {
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return err
	}
	all, err := set.placeable(false)
	if err != nil {
		return err
	}
	return p.applyAll(ctx, all)
}
