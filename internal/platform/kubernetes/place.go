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
// all; otherwise on a side. A new lease gives pods that have not become ready in time their
// time again.
func (p *Platform) Place(ctx context.Context, lease platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return p.change(ctx, t, "place "+r.ID+" on", func(w *world) error {
		side, beside := w.side(r.ID)
		making := w.home == nil || w.atHome(r.ID) && halfMade(w.home, c)
		if err := p.unopposed(ctx, w, r, beside); err != nil {
			return err
		}
		err := p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
			m.Away = slices.DeleteFunc(m.Away, func(id string) bool { return id == r.ID })
			if w.atHome(r.ID) && (w.mark == nil || w.mark.Fence < lease.Fence) {
				m.Asked = p.config.Now().UTC()
			}
			if w.home != nil && !w.atHome(r.ID) {
				w.split.begin(m)
			}
			if len(w.sides) == 0 && (w.home == nil || making && len(m.Weights) == 0) { // what comes up must have no traffic yet
				w.split.begin(m)
				return w.split.give(m, []string{p.settings.Service}, nil), nil
			}
			return nil, nil
		})
		if err != nil {
			return err
		}
		if err := p.sure(ctx, w); err != nil {
			return err
		}
		switch {
		case beside:
			return p.resizeSide(ctx, w, side, lease, c)
		case making:
			return p.placeHome(ctx, w, lease, t, r, c)
		case w.atHome(r.ID):
			return p.resizeHome(ctx, w, lease, c)
		}
		return p.placeSide(ctx, w, lease, r, c)
	})
}

// unopposed tells what speaks against placing the revision, before anything is changed.
func (p *Platform) unopposed(ctx context.Context, w *world, r platform.Revision, beside bool) error {
	if w.home == nil && !beside {
		if err := p.homeless(ctx); err != nil {
			return err
		}
	}
	if err := p.admissible(w); err != nil {
		return err
	}
	if err := p.released(ctx, w, r.ID); err != nil {
		return err
	}
	if _, err := p.wanted(r, w.home); err != nil {
		return err
	}
	if err := p.openable(w, r); err != nil {
		return err
	}
	if err := p.permittedTo(ctx, w, r); err != nil {
		return err
	}
	return p.acceptable(ctx, w, r)
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
	return w.split.admissible(known)
}

// openable refuses a new revision whose Secrets the worker cannot open, or which is too large
// to be kept, before anything is changed.
func (p *Platform) openable(w *world, r platform.Revision) error {
	if _, beside := w.side(r.ID); beside || w.atHome(r.ID) {
		return nil
	}
	if _, err := p.opened(w.target, r); err != nil {
		return err
	}
	_, err := pack(r) // which must fit, too
	return err
}

// permittedTo asks for the rights to all that a release will do, when its revision is new.
func (p *Platform) permittedTo(ctx context.Context, w *world, r platform.Revision) error {
	if _, beside := w.side(r.ID); beside || w.atHome(r.ID) {
		return nil
	}
	s, err := ParseSettings(r.Settings)
	if err != nil {
		return err
	}
	objects, err := s.allPlaceable()
	if err != nil {
		return err
	}
	return p.permitted(ctx, rightsTo(objects, w.home == nil))
}

func (p *Platform) now() string { return p.config.Now().UTC().Format(time.RFC3339) }

// applyDeployment writes a Deployment; was is the version that it was decided on, nil where
// it is written whatever is there.
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
	return p.patchDeployment(ctx, d, map[string]any{"spec": map[string]any{"replicas": n}})
}

func fenceOf(d *appsv1.Deployment) int64 {
	n, _ := strconv.ParseInt(d.Annotations[fenceAnnotation], 10, 64)
	return n
}

// resizeSide brings a side to a capacity. A new lease gives pods that have failed a new
// time to become ready.
func (p *Platform) resizeSide(ctx context.Context, w *world, s side, lease platform.Lease, c platform.Capacity) error {
	now := int(replicas(s.deployment))
	if now == c.Instances && fenceOf(s.deployment) == lease.Fence {
		return nil
	}
	if now == 0 && c.Instances > 0 { // who made it was stopped half-way
		return p.placeSide(ctx, w, lease, s.revision, c)
	}
	return p.placeAgain(ctx, s, lease, c)
}

// placeSide makes a side: the Deployment without pods, then all that it owns, then its
// pods. Whatever ends that early leaves one object that takes the others with it.
func (p *Platform) placeSide(ctx context.Context, w *world, lease platform.Lease, r platform.Revision, c platform.Capacity) error {
	set, err := p.opened(w.target, r)
	if err != nil {
		return err
	}
	managers, err := p.managersOf(ctx, w.home)
	if err != nil {
		return err
	}
	on, err := p.baseOf(w.home, r, managers)
	if err != nil {
		return err
	}
	wanted, err := p.wanted(r, on)
	if err != nil {
		return err
	}
	service, err := p.homeService(ctx)
	if err != nil {
		return err
	}
	if s, ok := w.split.(selection); ok {
		service.Spec.Selector = s.own // which is not the present one while a side has everything
	}
	stands, err := p.standingOf(r.ID, wanted, service)
	if err != nil {
		return err
	}
	names, config, err := set.pinned()
	if err != nil {
		return err
	}
	if wanted, err = renamed(wanted, names); err != nil {
		return err
	}
	d := stands.deployment(wanted)
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	if err := dress(d, r, lease.Fence); err != nil {
		return err
	}
	d.Annotations[sinceAnnotation] = p.now()
	p.noteFound(d, w.home, r.Artifact)
	d.OwnerReferences = ownedBy(w.home)
	var none int32
	d.Spec.Replicas = &none
	if err := p.applyDeployment(ctx, d, nil); err != nil {
		return err
	}
	hpa, err := p.toCopy(ctx)
	if err != nil {
		return err
	}
	accounts, err := p.newAccounts(ctx, set, names)
	if err != nil {
		return err
	}
	if err := p.placeBeside(ctx, beside{stands, d, service, hpa, append(config, accounts...)}, c); err != nil {
		return err
	}
	if err := p.confirm(ctx, w); err != nil {
		return err
	}
	d.ResourceVersion = "" // its controller has written its status meanwhile
	return p.scale(ctx, d, c.Instances)
}

// beside is what a side's Deployment needs beside it.
type beside struct {
	standing
	deployment *appsv1.Deployment
	service    *corev1.Service
	scaler     *unstructured.Unstructured // the home's; nil where there is none to copy
	own        []placedObject             // config and accounts of the release
}

// placeBeside writes it, owned by the Deployment.
func (p *Platform) placeBeside(ctx context.Context, b beside, c platform.Capacity) error {
	all, err := p.copies(ctx, b.standing, b.service.Labels)
	if err != nil {
		return err
	}
	for _, o := range b.own {
		o.object.SetLabels(b.objectLabels(o.object.GetLabels()))
	}
	all = append(all, b.own...)
	if !p.byPods() { // the one Service leads to all pods, and what is scraped through it is scraped once
		own, err := plain(b.standing.service(b.service))
		if err != nil {
			return err
		}
		all = append(all, placedObject{services, own})
	}
	if b.scaler != nil {
		all = append(all, placedObject{autoscalers, b.standing.scaler(b.scaler, c.Instances)})
	}
	for _, o := range all {
		o.object.SetOwnerReferences(ownedBy(b.deployment))
	}
	return p.applyAll(ctx, all)
}

// placeAgain brings a side that is there to a capacity. Its pods stay as they are; those
// that have failed get a new time to become ready.
func (p *Platform) placeAgain(ctx context.Context, s side, lease platform.Lease, c platform.Capacity) error {
	hpa, err := p.autoscaler(ctx)
	if err != nil {
		return err
	}
	n := c.Instances
	if hpa != nil {
		n = max(n, int(replicas(s.deployment)))
	}
	if hpa != nil && !p.byPods() {
		own := standing{name: s.deployment.Name, home: p.settings.Deployment, revision: s.revision.ID}.scaler(hpa, c.Instances)
		own.SetOwnerReferences(ownedBy(s.deployment))
		if _, err := p.apply(ctx, placedObject{autoscalers, own}); err != nil {
			return err
		}
	}
	annotations := map[string]any{fenceAnnotation: strconv.FormatInt(lease.Fence, 10), sinceAnnotation: p.now()}
	return p.patchDeployment(ctx, s.deployment, map[string]any{
		"metadata": map[string]any{"annotations": annotations}, "spec": map[string]any{"replicas": n},
	})
}

func (p *Platform) homeService(ctx context.Context) (*corev1.Service, error) {
	u, err := p.client(services).Get(ctx, p.settings.Service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if err := p.noNamespace(ctx); err != nil {
			return nil, err
		}
		return nil, fault.Errorf(fault.Invalid, "there is no Service %s in the namespace %s", p.settings.Service, p.settings.Namespace).
			WithHint("`service` names the Service that leads to the pods of the Deployment %s", p.settings.Deployment)
	}
	if err != nil {
		return nil, faultOf(err, "read Service "+p.settings.Service)
	}
	return slim[corev1.Service](u)
}

// ownedBy makes an object go when its owner goes.
func ownedBy(owner *appsv1.Deployment) []metav1.OwnerReference {
	if owner == nil || owner.UID == "" {
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: owner.Name, UID: owner.UID}}
}
