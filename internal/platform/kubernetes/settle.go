package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

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
		return "the traffic goes to the Deployment " + p.settings.Deployment, p.moveIn(ctx, w, lease, t, s)
	case atHome != platform.Whole:
		return "", fault.Errorf(fault.Conflict, "the Service %s has %d of the traffic, not all", p.settings.Service, atHome)
	case !drained:
		return "requests to the canary's pods come to their end", nil
	}
	return "", p.leaveSide(ctx, w, lease, t, s)
}

// followHome waits until the controller has updated the home from its repository, and then
// notes which revision that is.
func (p *Platform) followHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) (string, error) {
	who := map[string]string{"argocd": "Argo CD", "flux": "Flux"}[p.settings.Controller]
	awaits := fmt.Sprintf("%s updates the Deployment %s from the repository", who, p.settings.Deployment)
	if w.home == nil {
		return awaits, nil
	}
	c, err := chosen(w.home.Spec.Template.Spec, p.settings.Container, s.revision.Artifact)
	if err != nil || !sameImage(c.Image, imageOf(s.revision.Artifact)) {
		return awaits, err
	}
	if tells, err := imageTells(w.home, s.revision); err != nil {
		return "", err
	} else if !tells {
		field, err := p.behind(s.revision, w.home, c.Image)
		if err == nil && field == "" {
			return awaits, p.noteHome(ctx, w, lease, t, s.revision)
		}
		return awaits + ": its image is there, " + field + " is not as released yet", err
	}
	return awaits, p.noteHome(ctx, w, lease, t, s.revision)
}

// imageTells whether the image alone shows that a controller has brought the revision: it
// does where the revision that Fairway last knew at home had another one. What else the
// repository says then came with it, or, in a rollback, stays as people have written it.
func imageTells(home *appsv1.Deployment, r platform.Revision) (bool, error) {
	if home.Annotations[placedAnnotation] == "" {
		return false, nil
	}
	before, err := unpack(home)
	return err == nil && !sameImage(imageOf(before.Artifact), imageOf(r.Artifact)), err
}

// noteHome notes on the home which revision it is.
func (p *Platform) noteHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, r platform.Revision) error {
	if err := p.claim(ctx, w, lease, t, nil); err != nil {
		return err
	}
	if err := p.sure(ctx, w); err != nil {
		return err
	}
	packed, err := pack(r)
	if err != nil {
		return err
	}
	annotations := map[string]any{placedAnnotation: packed, fenceAnnotation: strconv.FormatInt(lease.Fence, 10)}
	return p.patchDeployment(ctx, w.home, map[string]any{"metadata": map[string]any{"annotations": annotations}})
}

// updateHome gives the home the revision's pods. It has no traffic meanwhile. What its pods
// read under the same names is written before them, so the anchor notes it, for Retire.
func (p *Platform) updateHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) error {
	if err := p.claim(ctx, w, lease, t, nil); err != nil {
		return err
	}
	if err := p.sure(ctx, w); err != nil {
		return err
	}
	if w.home == nil {
		return fault.Errorf(fault.Conflict, "the Deployment %s is gone", p.settings.Deployment).WithHint("somebody has deleted it; apply it again")
	}
	if n, err := p.toBear(ctx, s); err != nil || replicas(w.home) < n {
		if err != nil {
			return err
		}
		// Its pods follow at the next step, on what that has made of it.
		return p.resizeHome(ctx, w, lease, platform.Capacity{Instances: int(n)})
	}
	update, err := p.homeOf(ctx, s.revision, w.home)
	if err != nil {
		return err
	}
	if err := dress(update, s.revision, lease.Fence); err != nil {
		return err
	}
	if err := p.notRefused(ctx, placedObject{deployments, update}); err != nil {
		return err
	}
	set, err := p.opened(w.target, s.revision)
	if err != nil {
		return err
	}
	needed, err := set.placeable(true)
	if err != nil {
		return err
	}
	// From here on the home's config may not be its own, and not before.
	err = p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		m.Moving = s.revision.ID
		return nil, nil
	})
	if err != nil {
		return err
	}
	if err := p.applyAll(ctx, needed); err != nil {
		return err
	}
	return p.applyHome(ctx, update, w.home)
}

// applyHome writes the home's pods.
func (p *Platform) applyHome(ctx context.Context, update *unstructured.Unstructured, was *appsv1.Deployment) error {
	update.SetResourceVersion(was.ResourceVersion)
	if was.Annotations[createdAnnotation] != "" {
		// Who has made a Deployment owns its size: left out, it would be the default's.
		_ = unstructured.SetNestedField(update.Object, int64(replicas(was)), "spec", "replicas")
		_ = unstructured.SetNestedField(update.Object, was.Annotations[createdAnnotation], "metadata", "annotations", createdAnnotation)
	}
	written, err := p.apply(ctx, placedObject{deployments, update})
	if err != nil {
		return err
	}
	p.namespace().deployments.wrote(written)
	return nil
}

// homeOf is what a release of the revision writes of the home in the end.
func (p *Platform) homeOf(ctx context.Context, r platform.Revision, home *appsv1.Deployment) (*unstructured.Unstructured, error) {
	on, err := p.baseOf(ctx, home, r)
	if err != nil {
		return nil, err
	}
	d, err := p.wanted(r, on.home)
	if err != nil {
		return nil, err
	}
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return nil, err
	}
	names, _, err := set.pinned()
	if err != nil {
		return nil, err
	}
	markConfig(d, names)
	d.APIVersion, d.Kind, d.Spec.Replicas = "apps/v1", "Deployment", nil
	return p.homeObject(d, r, on)
}

// homeObject is what is written of the wanted Deployment. Without manifests that is the image
// and the variables alone: what is not written stays its owners'. A home that Fairway has
// made has no other owner.
func (p *Platform) homeObject(d *appsv1.Deployment, r platform.Revision, on base) (*unstructured.Unstructured, error) {
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return nil, err
	}
	made := on.home != nil && on.home.Annotations[createdAnnotation] != ""
	if made && len(set.Objects) == 0 {
		d.Labels = on.home.Labels
	}
	o, err := plain(d)
	if err != nil {
		return nil, err
	}
	if set, _, _ := unstructured.NestedMap(o.Object, "spec", "strategy"); len(set) == 0 {
		unstructured.RemoveNestedField(o.Object, "spec", "strategy")
	}
	if made || len(set.Objects) > 0 {
		return o, nil
	}
	own, err := p.ownContainer(d, r, on.kept)
	if err != nil {
		return nil, err
	}
	o.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{own}}}}
	return o, nil
}

// ownContainer is what a release without manifests says of the wanted Deployment.
func (p *Platform) ownContainer(d *appsv1.Deployment, r platform.Revision, kept []string) (map[string]any, error) {
	c, err := chosen(d.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return nil, err
	}
	own := map[string]any{"name": c.Name, "image": c.Image}
	env := envOf(r.Config.Env)
	for _, v := range c.Env {
		if slices.Contains(kept, v.Name) {
			one, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v)
			if err != nil {
				return nil, fault.Errorf(fault.Internal, "convert a variable: %w", err)
			}
			env = append(env, one)
		}
	}
	if len(env) > 0 {
		own["env"] = env
	}
	return own, nil
}

func envOf(env map[string]string) []any {
	var all []any
	for _, name := range sortedKeys(env) {
		all = append(all, map[string]any{"name": name, "value": env[name]})
	}
	return all
}

// growHome gives a home that somebody has made smaller meanwhile the pods that its traffic
// needs, and says so. A home whose controller decides its size is left as it is.
func (p *Platform) growHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) (string, error) {
	if p.settings.Controller != "" || replicas(w.home) >= replicas(s.deployment) {
		return "", nil
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
// be new and ready, for as long as there are old ones it leads to these too.
func (p *Platform) unready(ctx context.Context, w *world) string {
	now := p.revision(ctx, w, w.home, w.homeRevision)
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

// moveIn sends the traffic to the home.
func (p *Platform) moveIn(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) error {
	return p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		m.Home, m.Weights, m.Moving = s.revision.ID, platform.Weights{s.revision.ID: platform.Whole}, ""
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
		if err := p.applyRest(ctx, s.revision); err != nil {
			return err
		}
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
