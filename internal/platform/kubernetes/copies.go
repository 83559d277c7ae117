package kubernetes

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// selecting is a kind of object that selects pods or Services by labels: where that is in it.
type selecting struct {
	resource schema.GroupVersionResource
	selector []string
	// services says that it selects Services, not pods.
	services bool
	// optional says that a cluster may not have the kind, or a worker no right to read it.
	optional bool
}

var selectingKinds = []selecting{
	{resource: budgets, selector: []string{"spec", "selector"}},
	{resource: networkPolicies, selector: []string{"spec", "podSelector"}},
	{resource: serviceMonitors, selector: []string{"spec", "selector"}, services: true, optional: true},
}

// copies are the objects that select the home's pods or its Service and would not select
// the side's: each again, for the side.
func (p *Platform) copies(ctx context.Context, s standing, serviceLabels map[string]string) ([]placedObject, error) {
	var all []placedObject
	for _, kind := range selectingKinds {
		if kind.services && p.byPods() {
			continue // a side has no Service of its own
		}
		list, err := p.client(kind.resource).List(ctx, metav1.ListOptions{})
		if kind.optional && (apierrors.IsNotFound(err) || apierrors.IsForbidden(err)) {
			continue
		}
		if err != nil {
			return nil, faultOf(err, "read "+kind.resource.Resource)
		}
		of, own := s.pods, s.podLabels(s.pods)
		if kind.services {
			of, own = serviceLabels, s.objectLabels(serviceLabels)
		}
		for i := range list.Items {
			if c := s.copyOf(&list.Items[i], kind.selector, of, own); c != nil {
				all = append(all, placedObject{kind.resource, c})
			}
		}
	}
	return all, nil
}

// placedObject is an object with the resource that it is kept under.
type placedObject struct {
	resource schema.GroupVersionResource
	object   *unstructured.Unstructured
}

// copyOf returns the object as it selects the side, or nil if it does not select the home
// or selects the side as it is.
func (s standing) copyOf(o *unstructured.Unstructured, at []string, home, side map[string]string) *unstructured.Unstructured {
	if o.GetLabels()[homeLabel] != "" || o.GetDeletionTimestamp() != nil {
		return nil
	}
	selector, by := selectorIn(o, at)
	if !by.Matches(labels.Set(home)) || by.Matches(labels.Set(side)) {
		return nil
	}
	c := s.fresh(o)
	own := map[string]string{}
	for key, value := range selector.MatchLabels {
		switch {
		case side[key] == value, side[key] != "" && side[key] == s.changed[key]:
			own[key] = side[key]
		default: // by a label that the side has not, or has of its own
			own[revisionLabel] = s.revision
		}
	}
	if len(own) > 0 {
		_ = unstructured.SetNestedStringMap(c.Object, own, append(append([]string{}, at...), "matchLabels")...)
	}
	if selector.MatchExpressions != nil {
		// An expression that names a label which is changed could only be guessed at.
		s.dropExpressions(c, at, selector, func(key string) bool { return side[key] != home[key] })
	}
	return c
}

// selectorIn is the selector of an object, and what it matches: nothing where there is none.
func selectorIn(o *unstructured.Unstructured, at []string) (metav1.LabelSelector, labels.Selector) {
	var selector metav1.LabelSelector
	raw, _, err := unstructured.NestedMap(o.Object, at...)
	if err != nil || raw == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector) != nil {
		return selector, labels.Nothing()
	}
	by, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return selector, labels.Nothing()
	}
	return selector, by
}

// dropExpressions leaves out expressions over the labels that are changed, and asks for the
// revision in their place: without any a selector would be everybody's.
func (s standing) dropExpressions(c *unstructured.Unstructured, at []string, selector metav1.LabelSelector, changed func(key string) bool) {
	var kept []any
	for _, e := range selector.MatchExpressions {
		if changed(e.Key) {
			continue
		}
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&e)
		if err == nil {
			kept = append(kept, m)
		}
	}
	path := append(append([]string{}, at...), "matchExpressions")
	if kept == nil {
		unstructured.RemoveNestedField(c.Object, path...)
	} else {
		_ = unstructured.SetNestedSlice(c.Object, kept, path...)
	}
	_ = unstructured.SetNestedField(c.Object, s.revision, append(append([]string{}, at...), "matchLabels", revisionLabel)...)
}

// fresh is a copy of an object under the side's name, without what belongs to the original.
func (s standing) fresh(o *unstructured.Unstructured) *unstructured.Unstructured {
	c := &unstructured.Unstructured{Object: map[string]any{}}
	c.SetAPIVersion(o.GetAPIVersion())
	c.SetKind(o.GetKind())
	name := s.name
	if o.GetName() != s.home {
		name = clip(o.GetName(), maxObjectName-len(s.revision)-1) + "-" + s.revision
	}
	c.SetName(name)
	c.SetNamespace(o.GetNamespace())
	c.SetLabels(s.objectLabels(o.GetLabels()))
	if spec, ok := o.Object["spec"]; ok {
		c.Object["spec"] = runtime.DeepCopyJSONValue(spec)
	}
	return c
}

// maxObjectName is the longest name of most kinds.
const maxObjectName = 253

func clip(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}

// autoscaler returns the HorizontalPodAutoscaler that scales the home, or nil.
func (p *Platform) autoscaler(ctx context.Context) (*unstructured.Unstructured, error) {
	list, err := p.client(autoscalers).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, faultOf(err, "read HorizontalPodAutoscalers")
	}
	for i := range list.Items {
		name, _, _ := unstructured.NestedString(list.Items[i].Object, "spec", "scaleTargetRef", "name")
		kind, _, _ := unstructured.NestedString(list.Items[i].Object, "spec", "scaleTargetRef", "kind")
		if kind == "Deployment" && name == p.settings.Deployment {
			return &list.Items[i], nil
		}
	}
	return nil, nil
}

// toCopy is the home's autoscaler where a side has one of its own. Where pods split the traffic
// the open ones are the home's by their labels: two autoscalers would both find their pods
// ambiguous and scale nothing, so there the home's counts for all, and sides follow the home.
func (p *Platform) toCopy(ctx context.Context) (*unstructured.Unstructured, error) {
	if p.byPods() {
		return nil, nil
	}
	return p.autoscaler(ctx)
}

// scaler is the home's autoscaler as it scales the side, with at least n pods.
func (s standing) scaler(home *unstructured.Unstructured, n int) *unstructured.Unstructured {
	c := s.fresh(home)
	_ = unstructured.SetNestedField(c.Object, s.name, "spec", "scaleTargetRef", "name")
	_ = unstructured.SetNestedField(c.Object, int64(n), "spec", "minReplicas")
	if maximumOf(c) < int64(n) {
		_ = unstructured.SetNestedField(c.Object, int64(n), "spec", "maxReplicas")
	}
	return c
}

// keepCapacity sees to it that the home is not scaled below n while others bear its
// traffic. What the minimum was is kept on the autoscaler until giveBack.
func (p *Platform) keepCapacity(ctx context.Context, hpa *unstructured.Unstructured, n int32) error {
	if minimumOf(hpa) >= int64(n) || maximumOf(hpa) < int64(n) { // who set the maximum knows better
		return nil
	}
	was := raisedOf(hpa)
	next := raised{from: minimumOf(hpa), to: int64(n)}
	if was != nil && was.still(hpa) {
		next.from = was.from
	}
	return p.patchScaler(ctx, hpa, map[string]any{minimumAnnotation: next.String()}, map[string]any{"minReplicas": next.to})
}

// giveBack sets the autoscaler's minimum back to what it was, unless somebody else has
// changed it since.
func (p *Platform) giveBack(ctx context.Context) error {
	hpa, err := p.autoscaler(ctx)
	if err != nil || hpa == nil {
		return err
	}
	was := raisedOf(hpa)
	if was == nil {
		return nil
	}
	var spec map[string]any
	if was.still(hpa) {
		spec = map[string]any{"minReplicas": was.from}
	}
	return p.patchScaler(ctx, hpa, map[string]any{minimumAnnotation: nil}, spec)
}

// raised is what an autoscaler's minimum was, and what Fairway has made of it.
type raised struct{ from, to int64 }

func (r raised) String() string { return fmt.Sprintf("%d, raised to %d", r.from, r.to) }

// still tells that the minimum is what Fairway has made of it.
func (r raised) still(hpa *unstructured.Unstructured) bool { return minimumOf(hpa) == r.to }

// raisedOf reads what an autoscaler's minimum was; nil if Fairway has not raised it. What
// somebody has made unreadable holds up nothing: the minimum then stays as it is.
func raisedOf(hpa *unstructured.Unstructured) *raised {
	text, is := hpa.GetAnnotations()[minimumAnnotation]
	if !is {
		return nil
	}
	r := raised{to: minimumOf(hpa)} // Fairway once wrote only what it was
	if n, _ := fmt.Sscanf(text, "%d, raised to %d", &r.from, &r.to); n == 0 || r.from < 0 {
		return &raised{from: -1, to: -1}
	}
	return &r
}

func minimumOf(hpa *unstructured.Unstructured) int64 {
	var a autoscalingv2.HorizontalPodAutoscaler
	if runtime.DefaultUnstructuredConverter.FromUnstructured(hpa.Object, &a) != nil || a.Spec.MinReplicas == nil {
		return 1
	}
	return int64(*a.Spec.MinReplicas)
}

func maximumOf(hpa *unstructured.Unstructured) int64 {
	most, _, _ := unstructured.NestedInt64(hpa.Object, "spec", "maxReplicas")
	return most
}
