package kubernetes

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairwayhq/fairway/internal/fault"
)

// releaser is a kind of object with which another tool releases a Deployment, and where
// in it the Deployment is named.
type releaser struct {
	resource schema.GroupVersionResource
	kind     string
	named    []string
}

var releasers = []releaser{
	{schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}, "Flagger Canary", []string{"spec", "targetRef", "name"}},
	{schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}, "Argo Rollout", []string{"spec", "workloadRef", "name"}},
}

// released refuses a target that another tool releases to: two that move the same traffic
// undo each other's work. Its objects are looked for once for each new revision.
func (p *Platform) released(ctx context.Context, w *world, revision string) error {
	refused := func(kind, name string) error {
		return fault.Errorf(fault.Invalid, "the %s %s releases the Deployment %s", kind, name, p.settings.Deployment).
			WithHint("delete the %s and keep the Deployment, or leave its releases to it", kind)
	}
	owners := w.anchor.GetOwnerReferences()
	if w.home != nil {
		owners = append(owners, w.home.OwnerReferences...)
	}
	for _, o := range owners {
		if o.Controller != nil && *o.Controller {
			return refused(o.Kind, o.Name)
		}
	}
	if w.home != nil {
		for key := range w.home.Annotations {
			if strings.HasPrefix(key, "rollout.argoproj.io/") {
				return refused("Argo Rollout", "that refers to it")
			}
		}
	}
	if _, beside := w.side(revision); beside || w.atHome(revision) {
		return nil
	}
	for _, r := range releasers {
		list, err := p.client(r.resource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			continue // most clusters do not have the kind, and some workers may not look
		}
		if err != nil {
			return faultOf(err, "look for a "+r.kind)
		}
		for i := range list.Items {
			name, _, _ := unstructured.NestedString(list.Items[i].Object, r.named...)
			if name == p.settings.Deployment || list.Items[i].GetName() == p.settings.Deployment {
				return refused(r.kind, list.Items[i].GetName())
			}
		}
	}
	return nil
}
