package kubernetes

import (
	"context"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Place brings a revision up: at home, if it is there already or if there is no home at
// all; otherwise on a side.
func (p *Platform) Place(ctx context.Context, lease platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return p.change(ctx, t, "place "+r.ID+" on", func(w *world) error {
		if err := p.admissible(w); err != nil {
			return err
		}
		if err := p.released(ctx, w); err != nil {
			return err
		}
		if _, err := p.wanted(r, w.home); err != nil {
			return err
		}
		err := p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
			m.Away = slices.DeleteFunc(m.Away, func(id string) bool { return id == r.ID })
			if w.mark == nil && w.home == nil { // what comes up must have no traffic yet
				return w.backends.set([]string{p.settings.Service}, nil), nil
			}
			return nil, nil
		})
		if err != nil {
			return err
		}
		side, beside := w.side(r.ID)
		switch {
		case beside:
			return p.resizeSide(ctx, w, side, lease, c)
		case w.atHome(r.ID):
			return p.resizeHome(ctx, w, lease, c)
		case w.home == nil:
			return p.placeHome(ctx, lease, r, c)
		}
		return p.placeSide(ctx, w, nil, lease, r, c)
	})
}

// admissible refuses a target that somebody else releases to, before anything is changed.
func (p *Platform) admissible(w *world) error {
	known := p.services(w)
	if w.mark != nil {
		for id := range w.mark.Weights {
			known = append(known, p.sideName(id))
		}
		for _, id := range w.mark.Away {
			known = append(known, p.sideName(id))
		}
	}
	if name := w.backends.foreign(known); name != "" {
		return fault.Errorf(fault.Invalid, "a rule of the %s leads to the Service %s beside %s", p.anchorText(), name, p.settings.Service).
			WithHint("Fairway splits the traffic of rules that lead to %s alone; move %s into a rule of its own", p.settings.Service, name)
	}
	return nil
}

// placeHome makes the Deployment of a first release from its manifests.
func (p *Platform) placeHome(ctx context.Context, lease platform.Lease, r platform.Revision, c platform.Capacity) error {
	d, err := p.wanted(r, nil)
	if err != nil {
		return err
	}
	n := int32(c.Instances)
	d.Spec.Replicas = &n
	if err := dress(d, r, lease.Fence); err != nil {
		return err
	}
	d.Annotations[createdAnnotation], d.Annotations[sinceAnnotation] = "true", p.now()
	return p.applyDeployment(ctx, d, nil)
}

func (p *Platform) now() string { return p.config.Now().UTC().Format(time.RFC3339) }

// applyDeployment writes a Deployment; was is the version that it was decided on, nil for
// one that must not be there yet.
func (p *Platform) applyDeployment(ctx context.Context, d *appsv1.Deployment, was *appsv1.Deployment) error {
	o, err := plain(d)
	if err != nil {
		return err
	}
	if was != nil {
		o.SetResourceVersion(was.ResourceVersion)
	}
	written, err := p.apply(ctx, placedObject{deployments, o})
	if err != nil {
		return err
	}
	p.namespace().deployments.wrote(written)
	return runtime.DefaultUnstructuredConverter.FromUnstructured(written.Object, d)
}

// resizeHome gives the home another number of pods.
func (p *Platform) resizeHome(ctx context.Context, w *world, lease platform.Lease, c platform.Capacity) error {
	if int(replicas(w.home)) == c.Instances && fenceOf(w.home) >= lease.Fence {
		return nil
	}
	hpa, err := p.autoscaler(ctx)
	if err != nil {
		return err
	}
	if hpa != nil && len(w.sides) > 0 {
		if err := p.keepCapacity(ctx, hpa, int32(c.Instances)); err != nil {
			return err
		}
	}
	if int(replicas(w.home)) == c.Instances {
		return nil
	}
	return p.scale(ctx, w.home, c.Instances)
}

// scale sets a Deployment's number of pods and nothing else.
func (p *Platform) scale(ctx context.Context, d *appsv1.Deployment, n int) error {
	o, err := plain(d)
	if err != nil {
		return err
	}
	o.SetAPIVersion("apps/v1")
	o.SetKind("Deployment")
	fields := map[string]any{"spec": map[string]any{"replicas": n}}
	written, err := p.patch(ctx, placedObject{deployments, o}, fields)
	if err != nil {
		return err
	}
	p.namespace().deployments.wrote(written)
	return nil
}

func fenceOf(d *appsv1.Deployment) int64 {
	n, _ := strconv.ParseInt(d.Annotations[fenceAnnotation], 10, 64)
	return n
}

// resizeSide brings a side to a capacity. A new lease gives pods that have failed a new
// time to become ready.
func (p *Platform) resizeSide(ctx context.Context, w *world, s side, lease platform.Lease, c platform.Capacity) error {
	now := int(replicas(s.deployment))
	if fenceOf(s.deployment) > lease.Fence {
		return nil // claim has let the lease pass, so the newer one is no more than a mark
	}
	if now == c.Instances && fenceOf(s.deployment) == lease.Fence {
		return nil
	}
	return p.placeSide(ctx, w, s.deployment, lease, s.revision, c)
}

// placeSide writes all that stands on a side: the Deployment first, which owns the rest.
func (p *Platform) placeSide(ctx context.Context, w *world, was *appsv1.Deployment, lease platform.Lease, r platform.Revision, c platform.Capacity) error {
	wanted, err := p.wanted(r, w.home)
	if err != nil {
		return err
	}
	service, err := p.homeService(ctx)
	if err != nil {
		return err
	}
	stands, err := p.standingOf(r.ID, wanted, service)
	if err != nil {
		return err
	}
	hpa, err := p.autoscaler(ctx)
	if err != nil {
		return err
	}
	d := stands.deployment(wanted)
	if was != nil { // its pods stay as they are, whatever has become of the home
		d.Spec.Template, d.Spec.Selector = was.Spec.Template, was.Spec.Selector
	}
	n := int32(c.Instances)
	if hpa != nil && was != nil {
		n = max(n, replicas(was))
	}
	d.Spec.Replicas = &n
	if err := dress(d, r, lease.Fence); err != nil {
		return err
	}
	d.Annotations[sinceAnnotation] = p.now()
	d.OwnerReferences = ownedBy(w.home, "apps/v1", "Deployment")
	if err := p.applyDeployment(ctx, d, was); err != nil {
		return err
	}
	return p.placeBeside(ctx, stands, d, service, hpa, c)
}

// placeBeside writes what a side's Deployment needs beside it, owned by it.
func (p *Platform) placeBeside(ctx context.Context, stands standing, d *appsv1.Deployment, service *corev1.Service, hpa *unstructured.Unstructured, c platform.Capacity) error {
	own, err := plain(stands.service(service))
	if err != nil {
		return err
	}
	all, err := p.copies(ctx, stands, service.Labels)
	if err != nil {
		return err
	}
	all = append(all, placedObject{services, own})
	if hpa != nil {
		all = append(all, placedObject{autoscalers, stands.scaler(hpa, c.Instances)})
	}
	for _, o := range all {
		o.object.SetOwnerReferences(ownedBy(d, "apps/v1", "Deployment"))
		if _, err := p.apply(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (p *Platform) homeService(ctx context.Context) (*corev1.Service, error) {
	u, err := p.client(services).Get(ctx, p.settings.Service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fault.Errorf(fault.Invalid, "there is no Service %s in the namespace %s", p.settings.Service, p.settings.Namespace).
			WithHint("`service` names the Service that leads to the pods of the Deployment %s", p.settings.Deployment)
	}
	if err != nil {
		return nil, faultOf(err, "read Service "+p.settings.Service)
	}
	return slim[corev1.Service](u)
}

// ownedBy makes an object go when its owner goes.
func ownedBy(owner *appsv1.Deployment, version, kind string) []metav1.OwnerReference {
	if owner == nil || owner.UID == "" {
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: owner.Name, UID: owner.UID}}
}
