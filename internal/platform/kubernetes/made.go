package kubernetes

import (
	"context"
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// What the annotation of a home that was not there before says: whether it has come to stay.
const (
	madeOnTrial = "trial"
	madeForGood = "true"
)

// homeless makes sure that there is no home: the mirror may not have heard yet of one that
// somebody has just made.
func (p *Platform) homeless(ctx context.Context) error {
	named := &unstructured.Unstructured{}
	named.SetName(p.settings.Deployment)
	home, err := p.one(ctx, placedObject{deployments, named})
	switch {
	case err != nil:
		return faultOf(err, "read Deployment "+p.settings.Deployment)
	case home == nil:
		return nil
	case home.GetDeletionTimestamp() != nil:
		return fault.Errorf(fault.Unavailable, "the Deployment %s is being deleted", p.settings.Deployment)
	}
	return errStale
}

// placeHome makes the Deployment of a first release from its manifests: without pods, then
// all that comes with it, then its pods. What was not there before is owned by it until it
// stays, so that a first release which is taken back leaves nothing behind.
func (p *Platform) placeHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	d, err := p.wanted(r, nil)
	if err != nil {
		return err
	}
	s, err := p.opened(w.target, r)
	if err != nil {
		return err
	}
	names, _, err := s.pinned()
	if err != nil {
		return err
	}
	all, err := p.withHome(s)
	if err != nil {
		return err
	}
	there, err := p.existing(ctx, all)
	if err != nil {
		return err
	}
	markConfig(d, names)
	var none int32
	d.Spec.Replicas = &none
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	if err := dress(d, r, lease.Fence); err != nil {
		return err
	}
	d.Annotations[createdAnnotation], d.Annotations[sinceAnnotation] = madeOnTrial, p.now()
	half := w.home
	if half == nil {
		if half, err = p.createHome(ctx, w, lease, t, d); err != nil {
			return err
		}
	}
	if err := p.applyDeployment(ctx, d, half); err != nil {
		return err
	}
	for i, o := range all {
		if there[i] == nil || slices.ContainsFunc(there[i].GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == d.UID }) {
			o.object.SetOwnerReferences(ownedBy(d))
		}
	}
	if err := p.applyAll(ctx, all); err != nil {
		return err
	}
	d.ResourceVersion = "" // its controller has written its status meanwhile
	return p.patchDeployment(ctx, d, map[string]any{
		"metadata": map[string]any{"managedFields": applied(d.ManagedFields)}, "spec": map[string]any{"replicas": c.Instances},
	})
}

// createHome makes the Deployment, which an apply would take over if somebody else has made it
// since it was looked for. Whose it is then gets the traffic back that what comes up had to be
// without.
func (p *Platform) createHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, d *appsv1.Deployment) (*appsv1.Deployment, error) {
	o, err := plain(d)
	if err != nil {
		return nil, err
	}
	made, err := p.client(deployments).Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) && len(w.sides) == 0 {
		return nil, errors.Join(err, p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
			return w.split.left(m), nil
		}))
	}
	if stale(err) {
		return nil, err
	}
	if err != nil {
		return nil, faultOf(err, "write Deployment "+d.Name)
	}
	return slimDeployment(made)
}

// applied are the managed fields without those of the creation: what these name, no later
// apply could take away.
func applied(all []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	return slices.DeleteFunc(all, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == fieldManager && e.Operation == metav1.ManagedFieldsOperationUpdate
	})
}

// halfMade tells that whoever made a home was stopped before it had pods.
func halfMade(home *appsv1.Deployment, c platform.Capacity) bool {
	return home.Annotations[createdAnnotation] == madeOnTrial && replicas(home) == 0 && c.Instances > 0
}

// withHome are the manifests that are written with a home, in order.
func (p *Platform) withHome(s Settings) ([]placedObject, error) {
	all, err := s.allPlaceable()
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if p.byPods() && o.resource == services && o.object.GetName() == p.settings.Service {
			unstructured.RemoveNestedField(o.object.Object, "spec", "selector") // it gives the traffic, which is for Route to do
		}
	}
	return all, nil
}

// existing are the objects as they are in the cluster, nil where there is none.
func (p *Platform) existing(ctx context.Context, all []placedObject) ([]*unstructured.Unstructured, error) {
	there := make([]*unstructured.Unstructured, len(all))
	for i, o := range all {
		one, err := p.one(ctx, o)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, faultOf(err, "read "+nameOf(o.object))
		}
		if err == nil {
			there[i] = one
		}
	}
	return there, nil
}

// one reads an object by what the worker's role allows of its kind.
func (p *Platform) one(ctx context.Context, o placedObject) (*unstructured.Unstructured, error) {
	if readByName(o.resource) {
		return p.client(o.resource).Get(ctx, o.object.GetName(), metav1.GetOptions{})
	}
	list, err := p.client(o.resource).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + o.object.GetName()})
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	return &list.Items[0], nil
}

// readByName tells that the role lets a worker read objects of a kind one by one.
func readByName(r schema.GroupVersionResource) bool {
	return r == configMaps || r == secrets || r == serviceAccounts || r == services
}

// keepMade makes a home that Fairway has made stay: what came with it is not its own any more.
func (p *Platform) keepMade(ctx context.Context, w *world) error {
	if w.home == nil || w.home.Annotations[createdAnnotation] != madeOnTrial {
		return nil
	}
	s, err := p.opened(w.target, w.homeRevision)
	if err != nil {
		return err
	}
	all, err := p.withHome(s)
	if err != nil {
		return err
	}
	if err := p.sure(ctx, w); err != nil {
		return err
	}
	if err := p.applyAll(ctx, all); err != nil {
		return err
	}
	return p.patchDeployment(ctx, w.home, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{createdAnnotation: madeForGood}},
	})
}

// endLimit is how long a deleted home's pods are waited for before the anchor leads to its
// Service again.
const endLimit = 10 * time.Second

// leave gives the anchor back as it was before a first release, once no pod of that takes
// requests any more. Where something stands, it does nothing.
func (p *Platform) leave(ctx context.Context, w *world, lease platform.Lease, t platform.Target) error {
	if w.home != nil {
		present, former := w.splitPods(w.home)
		var ids []types.UID
		for _, pod := range append(present, former...) {
			ids = append(ids, pod.UID)
		}
		if err := p.ended(ctx, ids); err != nil {
			return err
		}
	}
	now, err := p.look(ctx, false)
	if err != nil {
		return err
	}
	if now.home != nil || len(now.sides) > 0 || now.mark == nil || len(now.mark.Weights) > 0 {
		return nil
	}
	return p.claim(ctx, now, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		return now.split.left(m), nil
	})
}

// ended waits until none of the pods is there, other than to end.
func (p *Platform) ended(ctx context.Context, ids []types.UID) error {
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := p.namespace().pods.list(ctx, false)
		if err != nil {
			return faultOf(err, "read Pods")
		}
		some := false
		for _, pod := range all {
			some = some || slices.Contains(ids, pod.UID)
		}
		if !some {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return nil // they are not waited for any longer
		case <-tick.C:
		}
	}
}
