package kubernetes

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
	if err := dress(update.wanted, s.revision, lease.Fence); err != nil {
		return err
	}
	if _, err := p.tryHome(ctx, update); refusal(err) != nil {
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
	return p.writeHome(ctx, update)
}

// homeUpdate is what a release makes of the home.
type homeUpdate struct {
	was    *appsv1.Deployment // nil where there is none yet
	wanted *appsv1.Deployment
	// container is the one that is released.
	container string
	// manifests tells that the release has some: they are the whole truth about its pods.
	manifests bool
	// managers are who has set what of the home, where Fairway has written it before.
	managers []metav1.ManagedFieldsEntry
}

// homeOf is what a release of the revision makes of the home in the end.
func (p *Platform) homeOf(ctx context.Context, r platform.Revision, home *appsv1.Deployment) (homeUpdate, error) {
	u := homeUpdate{was: home}
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return u, err
	}
	if u.managers, err = p.managersOf(ctx, home); err != nil {
		return u, err
	}
	on, err := p.baseOf(home, r, u.managers)
	if err != nil {
		return u, err
	}
	if u.wanted, err = p.wanted(r, on); err != nil {
		return u, err
	}
	c, err := chosen(u.wanted.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return u, err
	}
	names, _, err := set.pinned()
	if err != nil {
		return u, err
	}
	u.container, u.manifests = c.Name, len(set.Objects) > 0
	markConfig(u.wanted, names)
	u.wanted.APIVersion, u.wanted.Kind, u.wanted.Spec.Replicas = "apps/v1", "Deployment", nil
	return u, nil
}

// object is the home as it is made where there is none.
func (u homeUpdate) object() (*unstructured.Unstructured, error) {
	o, err := plain(u.wanted)
	if err != nil {
		return nil, err
	}
	if set, _, _ := unstructured.NestedMap(o.Object, "spec", "strategy"); len(set) == 0 {
		unstructured.RemoveNestedField(o.Object, "spec", "strategy")
	}
	return o, nil
}

// ownObject is what a release without manifests says of the wanted Deployment: the image and
// the variables alone.
func (p *Platform) ownObject(d *appsv1.Deployment, r platform.Revision) (*unstructured.Unstructured, error) {
	c, err := chosen(d.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return nil, err
	}
	o, err := plain(d)
	if err != nil {
		return nil, err
	}
	own := map[string]any{"name": c.Name, "image": c.Image}
	if env := envOf(r.Config.Env); len(env) > 0 {
		own["env"] = env
	}
	o.Object["spec"] = podsWith(own)
	return o, nil
}

func podsWith(container map[string]any) map[string]any {
	return map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}
}

func envOf(env map[string]string) []any {
	var all []any
	for _, name := range sortedKeys(env) {
		all = append(all, map[string]any{"name": name, "value": env[name]})
	}
	return all
}
