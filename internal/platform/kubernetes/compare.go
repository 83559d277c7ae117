package kubernetes

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Compare tells where what is at home is not as the revision's manifests say, or without
// manifests, whether the home runs its image. It is asked for every target every few
// minutes: Deployments come from the mirror, most other kinds from one list per namespace.
func (p *Platform) Compare(ctx context.Context, t platform.Target, r platform.Revision) (platform.Comparison, error) {
	home, err := p.homeDeployment(ctx)
	if err != nil {
		return platform.Comparison{}, err
	}
	desired, notes, err := p.desired(t, r, home)
	if err != nil {
		return platform.Comparison{}, err
	}
	now, err := p.live(ctx, desired, home)
	if err != nil {
		return platform.Comparison{}, err
	}
	scalers, err := p.listed(ctx, autoscalers)
	if err != nil {
		return platform.Comparison{}, faultOf(err, "read HorizontalPodAutoscalers")
	}
	wanted := objectsOf(now.desired)
	ignore := slices.Concat(ownFields, routeWeights, drift.Autoscaled(wanted), drift.Autoscaled(contents(scalers)))
	return platform.Comparison{
		Differences: drift.Compare(wanted, now.live, drift.Options{Namespace: p.settings.Namespace, Ignore: ignore}),
		Notes:       slices.Concat(notes, now.notes),
	}, nil
}

// routeWeights are the release's.
var routeWeights = []drift.Ignore{
	{Kind: "HTTPRoute", Path: "spec.rules[*].backendRefs[*].weight"},
	{Kind: "GRPCRoute", Path: "spec.rules[*].backendRefs[*].weight"},
}

// desired is what should be in the cluster: all manifests of kinds that are known here.
// Secrets are among them where they can be opened.
func (p *Platform) desired(t platform.Target, r platform.Revision, home *appsv1.Deployment) (all []placedObject, notes []string, err error) {
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return nil, nil, err
	}
	opened, shut := p.opened(t, r)
	if shut == nil {
		set = opened
	}
	own, err := p.desiredHome(set, r, home)
	if err != nil {
		return nil, nil, err
	}
	all = append(all, placedObject{deployments, own})
	objects, err := set.objects()
	if err != nil {
		return nil, nil, err
	}
	for _, o := range objects {
		resource, known := keptUnder(o.Group(), o.Kind)
		switch {
		case o.Group() == "apps" && o.Kind == "Deployment" && o.Name == p.settings.Deployment:
			continue
		case !known:
			notes = append(notes, o.String()+" was not compared: Fairway does not know the kind.")
			continue
		case o.IsSecret() && shut != nil:
			notes = append(notes, o.String()+" was not compared: "+shut.Error()+".")
			continue
		}
		u, err := set.decode(o)
		if err != nil {
			return nil, nil, err
		}
		u.SetNamespace(p.settings.Namespace)
		all = append(all, placedObject{resource, u})
	}
	return all, notes, nil
}

// keptUnder is where the cluster keeps a kind.
func keptUnder(group, name string) (schema.GroupVersionResource, bool) {
	if k := kindOf(group, name); k != nil {
		return k.resource, true
	}
	switch {
	case group == deployments.Group && name == "Deployment":
		return deployments, true
	case group == httpRoutes.Group && name == "HTTPRoute":
		return httpRoutes, true
	case group == grpcRoutes.Group && name == "GRPCRoute":
		return grpcRoutes, true
	}
	return schema.GroupVersionResource{}, false
}

// desiredHome is the home as the manifests have it, with the image and the variables of the
// release; without manifests only those.
func (p *Platform) desiredHome(set Settings, r platform.Revision, home *appsv1.Deployment) (*unstructured.Unstructured, error) {
	written, err := set.deployment()
	if err != nil {
		return nil, err
	}
	if written == nil && home == nil { // all that can be said is that it is missing
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"}}
		o.SetName(p.settings.Deployment)
		o.SetNamespace(p.settings.Namespace)
		return o, nil
	}
	if r.Artifact.Ref == "" && written != nil {
		if r.Artifact, err = p.artifactOf(written); err != nil {
			return nil, err
		}
	}
	d, err := p.wanted(r, home)
	if err != nil {
		return nil, err
	}
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	if written == nil {
		d.Labels = nil
		return p.ownObject(d, r) // what else its owners have written is not the release's
	}
	if n := int32(set.Instances); n > 0 {
		d.Spec.Replicas = &n
	}
	return plain(d)
}

// behind names a field of the home's pods that is not as the revision's manifests say; empty
// if there is none, or without manifests. The image is compared by others, and variables of
// the release are in no repository.
func (p *Platform) behind(r platform.Revision, home *appsv1.Deployment, image string) (string, error) {
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return "", err
	}
	if written, err := set.deployment(); err != nil || written == nil {
		return "", err
	}
	own := r.Config.Env
	r.Artifact.Ref, r.Artifact.Digest, _ = strings.Cut(image, "@")
	r.Config = platform.Config{}
	desired, err := p.desiredHome(set, r, home)
	if err != nil {
		return "", err
	}
	live, err := plain(home)
	if err != nil {
		return "", err
	}
	var pods [2]drift.Object
	for i, o := range []*unstructured.Unstructured{desired, live} {
		template, _, _ := unstructured.NestedMap(o.Object, "spec", "template")
		pods[i] = drift.Object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": home.Name}, "spec": map[string]any{"template": template}}
	}
	ignore := slices.Clone(ownFields)
	for _, name := range sortedKeys(own) {
		ignore = append(ignore, drift.Ignore{Path: "spec.template.spec.containers[*].env[" + name + "].value"})
	}
	for _, d := range drift.Compare(pods[:1], pods[1:], drift.Options{Ignore: ignore}) {
		return d.Path, nil
	}
	return "", nil
}

// counterparts are desired objects, the home first, and what there is of them. What may not
// be read is in neither, but in the notes.
type counterparts struct {
	desired []placedObject
	live    []drift.Object
	notes   []string
}

// live reads the counterparts of desired objects; what is not there is left out. What a worker
// need not have the right to read, such as Secrets or the route of a target without one, is
// told in a note.
func (p *Platform) live(ctx context.Context, desired []placedObject, home *appsv1.Deployment) (counterparts, error) {
	now := counterparts{desired: desired[:1:1]}
	if home != nil {
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(home)
		if err != nil {
			return now, err
		}
		m["apiVersion"], m["kind"] = "apps/v1", "Deployment"
		now.live = append(now.live, m)
	}
	for _, o := range desired[1:] {
		one, err := p.counterpart(ctx, o)
		if apierrors.IsForbidden(err) {
			now.notes = append(now.notes, nameOf(o.object)+" was not compared: the worker may not read it.")
			continue
		}
		if err != nil {
			return now, faultOf(err, "read "+nameOf(o.object))
		}
		now.desired = append(now.desired, o)
		if one != nil {
			now.live = append(now.live, one.Object)
		}
	}
	return now, nil
}

// counterpart is the object of that name in the cluster, or nil. Config may be large, so
// it is read one by one, as is what may not be listed.
func (p *Platform) counterpart(ctx context.Context, o placedObject) (*unstructured.Unstructured, error) {
	if k := kindOf(o.object.GroupVersionKind().Group, o.object.GetKind()); k == nil || !k.before {
		list, err := p.listed(ctx, o.resource)
		switch {
		case err == nil:
			return list[o.object.GetName()], nil
		case apierrors.IsNotFound(err): // the cluster does not have the kind
			return nil, nil
		case !apierrors.IsForbidden(err):
			return nil, err
		}
	}
	one, err := p.client(o.resource).Get(ctx, o.object.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return one, err
}

func objectsOf(all []placedObject) []drift.Object {
	objects := make([]drift.Object, len(all))
	for i, o := range all {
		objects[i] = o.object.Object
	}
	return objects
}

func contents(all map[string]*unstructured.Unstructured) []drift.Object {
	var objects []drift.Object
	for _, o := range all {
		objects = append(objects, o.Object)
	}
	return objects
}
