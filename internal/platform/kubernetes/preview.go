package kubernetes

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Preview asks the API server what it would make of the objects that a release writes at
// home, without writing them. What it fills in by itself stands on both sides then.
func (p *Platform) Preview(ctx context.Context, t platform.Target, r platform.Revision) (platform.Comparison, error) {
	home, err := p.homeDeployment(ctx)
	if err != nil {
		return platform.Comparison{}, err
	}
	if r.Artifact.Ref == "" && home != nil {
		if r.Artifact, err = p.artifactOf(home); err != nil {
			return platform.Comparison{}, err
		}
	}
	update, brought, err := p.releasedObjects(ctx, t, r, home)
	if err != nil {
		return platform.Comparison{}, faultOf(err, "read Deployment "+p.settings.Deployment)
	}
	own, err := update.object()
	if err != nil {
		return platform.Comparison{}, err
	}
	now, err := p.live(ctx, append([]placedObject{{deployments, own}}, brought...), home)
	if err != nil {
		return platform.Comparison{}, err
	}
	then, err := p.tryHome(ctx, update)
	if err != nil {
		return platform.Comparison{}, err
	}
	next := []drift.Object{then.Object}
	for _, o := range now.desired[1:] {
		would, err := p.tryOut(ctx, o)
		if err != nil {
			return platform.Comparison{}, err
		}
		next = append(next, would.Object)
	}
	found := drift.Between(next, now.live, drift.Options{Ignore: slices.Concat(ownFields, keptFields)})
	for i := range found {
		found[i].Object.Namespace = p.settings.Namespace
	}
	return platform.Comparison{Differences: found, Notes: now.notes}, nil
}

// tryOut asks the API server what it would make of an object.
func (p *Platform) tryOut(ctx context.Context, o placedObject) (*unstructured.Unstructured, error) {
	would, err := p.client(o.resource).Apply(ctx, o.object.GetName(), o.object, metav1.ApplyOptions{
		FieldManager: fieldManager, Force: true, DryRun: []string{metav1.DryRunAll},
	})
	if apierrors.IsNotFound(err) && p.noNamespace(ctx) == nil {
		return nil, fault.Errorf(fault.Invalid, "the cluster does not know what a %s is: %w", o.object.GetKind(), err).
			WithHint("install what defines it, or take it out of the manifests")
	}
	return would, masked(faultOf(err, "try to write "+nameOf(o.object)), o)
}

// acceptable refuses a new revision whose manifests the API server will refuse in the end,
// when it is proven and to move in. What a repository's controller writes is its own affair.
func (p *Platform) acceptable(ctx context.Context, w *world, r platform.Revision) error {
	if _, beside := w.side(r.ID); beside || w.atHome(r.ID) || p.settings.Controller != "" {
		return nil
	}
	set, err := ParseSettings(r.Settings)
	if err != nil || len(set.Objects) == 0 {
		return err
	}
	update, brought, err := p.releasedObjects(ctx, w.target, r, w.home)
	if err != nil {
		return err
	}
	if _, err := p.tryHome(ctx, update); refusal(err) != nil {
		return err
	}
	for _, o := range brought {
		if _, err := p.tryOut(ctx, o); refusal(err) != nil {
			return err
		}
	}
	return nil
}

// refusal is the error of a trial, if it tells that the API server would refuse the write. Who
// cannot be asked without a write has said nothing against it.
func refusal(err error) error {
	if err != nil && strings.Contains(err.Error(), "does not support dry run") {
		return nil
	}
	return err
}

// ownFields are those that say how Fairway has written an object.
var ownFields = []drift.Ignore{
	{Path: "metadata.annotations[" + placedAnnotation + "]"},
	{Path: "metadata.annotations[" + fenceAnnotation + "]"},
	{Path: "metadata.annotations[" + sinceAnnotation + "]"},
	{Path: "metadata.annotations[" + createdAnnotation + "]"},
	{Path: "metadata.annotations[" + minimumAnnotation + "]"},
	{Path: "metadata.ownerReferences"}, // what a first release brings is its Deployment's until that stays
	{Path: "spec.template.metadata.annotations[" + configAnnotation + "]"},
}

// keptFields are those that a release leaves as they are: how many pods there are.
var keptFields = []drift.Ignore{{Kind: "Deployment", Path: "spec.replicas"}}

// homeDeployment is the home as it was last told, or nil.
func (p *Platform) homeDeployment(ctx context.Context) (*appsv1.Deployment, error) {
	all, err := p.namespace().deployments.list(ctx, false)
	if err != nil {
		return nil, faultOf(err, "read Deployments")
	}
	for _, d := range all {
		if d.Name == p.settings.Deployment {
			return d, nil
		}
	}
	return nil, nil
}

// artifactOf is the artifact that a Deployment runs.
func (p *Platform) artifactOf(d *appsv1.Deployment) (platform.Artifact, error) {
	c, err := chosen(d.Spec.Template.Spec, p.settings.Container, platform.Artifact{})
	if err != nil {
		return platform.Artifact{}, err
	}
	ref, digest, _ := strings.Cut(c.Image, "@")
	return platform.Artifact{Ref: ref, Digest: digest}, nil
}

// releasedObjects are what a release of the revision writes at home in the end: the home, and
// what comes with it.
func (p *Platform) releasedObjects(ctx context.Context, t platform.Target, r platform.Revision, home *appsv1.Deployment) (homeUpdate, []placedObject, error) {
	update, err := p.homeOf(ctx, r, home)
	if err != nil {
		return update, nil, err
	}
	set, err := p.opened(t, r)
	if err != nil {
		return update, nil, err
	}
	brought, err := set.allPlaceable()
	if err != nil {
		return update, nil, err
	}
	for _, o := range brought {
		o.object.SetNamespace(p.settings.Namespace)
	}
	return update, brought, nil
}

// kindOf finds a kind of object that releases write, or nil.
func kindOf(group, name string) *kind {
	for i, k := range kinds {
		if k.name == name && k.resource.Group == group {
			return &kinds[i]
		}
	}
	return nil
}

func nameOf(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }
