package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// capacityManager owns what Fairway changes of the home's size while it is needed.
const capacityManager = "fairway-capacity"

// attempts is how often a verb looks and decides anew when what it had seen was gone.
const attempts = 8

// verbLimit bounds a verb: an API server that does not answer is no reason to stand still.
const verbLimit = 30 * time.Second

// change looks at the target and does what the verb asks; where the API server refuses a
// write because something has changed since, all of it again.
func (p *Platform) change(ctx context.Context, t platform.Target, verb string, do func(w *world) error) error {
	ctx, cancel := context.WithTimeout(ctx, verbLimit)
	defer cancel()
	var err error
	for n := range attempts {
		var w *world
		if w, err = p.look(ctx, n > 0); err == nil {
			w.target = t
			err = do(w)
		}
		if !stale(err) {
			break
		}
	}
	if err == nil {
		return nil
	}
	if stale(err) {
		return fault.Errorf(fault.Unavailable, "%s %s: others kept changing it: %w", verb, t, err)
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return fault.Errorf(f.Code, "%s %s: %w", verb, t, err).WithHint("%s", f.Hint)
	}
	return fmt.Errorf("%s %s: %w", verb, t, err)
}

// apply makes an object be as given, by server-side apply. With a resource version it is
// refused if the object has changed since.
func (p *Platform) apply(ctx context.Context, o placedObject) (*unstructured.Unstructured, error) {
	o.object.SetNamespace(p.settings.Namespace)
	written, err := p.client(o.resource).Apply(ctx, o.object.GetName(), o.object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if stale(err) {
		return nil, err
	}
	return written, masked(faultOf(err, fmt.Sprintf("write %s %s", o.object.GetKind(), o.object.GetName())), o)
}

// patch changes some fields of the version of an object that was read, or of any version
// where the object has none.
func (p *Platform) patch(ctx context.Context, o placedObject, fields map[string]any) (*unstructured.Unstructured, error) {
	metadata, _ := fields["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	if version := o.object.GetResourceVersion(); version != "" {
		metadata["resourceVersion"] = version
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode a patch: %w", err)
	}
	written, err := p.client(o.resource).Patch(ctx, o.object.GetName(), types.MergePatchType, body, metav1.PatchOptions{FieldManager: capacityManager})
	if stale(err) || apierrors.IsNotFound(err) {
		return nil, errors.Join(errStale, err)
	}
	return written, faultOf(err, fmt.Sprintf("change %s %s", o.object.GetKind(), o.object.GetName()))
}

// patchDeployment changes some fields of a Deployment, and nothing else.
func (p *Platform) patchDeployment(ctx context.Context, d *appsv1.Deployment, fields map[string]any) error {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"}}
	o.SetName(d.Name)
	o.SetResourceVersion(d.ResourceVersion)
	written, err := p.patch(ctx, placedObject{deployments, o}, fields)
	if err != nil {
		return err
	}
	p.namespace().deployments.wrote(written)
	return nil
}

func (p *Platform) patchScaler(ctx context.Context, hpa *unstructured.Unstructured, annotations, spec map[string]any) error {
	fields := map[string]any{}
	if len(spec) > 0 {
		fields["spec"] = spec
	}
	if len(annotations) > 0 {
		fields["metadata"] = map[string]any{"annotations": annotations}
	}
	_, err := p.patch(ctx, placedObject{autoscalers, hpa}, fields)
	return err
}
