package kubernetes

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

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
