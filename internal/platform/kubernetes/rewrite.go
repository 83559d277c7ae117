package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairwayhq/fairway/internal/fault"
)

// The home is written by a strategic merge patch, and not applied. To apply means to own some
// fields beside others: what the manifests have left out would stay as long as whoever made the
// Deployment owns it too, and a variable's `value` beside a new `valueFrom` would be refused.
// The patch replaces what the manifests are the whole truth about, leaves everything else, and
// can be tried as it is.

// writeHome gives the home its new pods, unless it has changed since it was read.
func (p *Platform) writeHome(ctx context.Context, u homeUpdate) error {
	written, err := p.patchHome(ctx, u, metav1.PatchOptions{FieldManager: fieldManager})
	switch {
	case stale(err), apierrors.IsNotFound(err):
		return errors.Join(errStale, err)
	case err != nil:
		return faultOf(err, "write Deployment "+u.was.Name)
	}
	p.namespace().deployments.wrote(written)
	return nil
}

// tryHome asks the API server what it would make of the home, whatever has become of it.
func (p *Platform) tryHome(ctx context.Context, u homeUpdate) (*unstructured.Unstructured, error) {
	if u.was == nil {
		o, err := u.object()
		if err != nil {
			return nil, err
		}
		return p.tryOut(ctx, placedObject{deployments, o})
	}
	would, err := p.patchHome(ctx, u, metav1.PatchOptions{FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}})
	return would, faultOf(err, "try to write Deployment "+u.was.Name)
}

func (p *Platform) patchHome(ctx context.Context, u homeUpdate, options metav1.PatchOptions) (*unstructured.Unstructured, error) {
	patch, err := u.patch()
	if err != nil {
		return nil, err
	}
	if len(options.DryRun) == 0 {
		_ = unstructured.SetNestedField(patch, u.was.ResourceVersion, "metadata", "resourceVersion")
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode a patch: %w", err)
	}
	return p.client(deployments).Patch(ctx, u.was.Name, types.StrategicMergePatchType, body, options)
}

// patch is what makes the wanted Deployment of the one that was read. How many pods there are
// is not in it.
func (u homeUpdate) patch() (map[string]any, error) {
	o, err := plain(u.wanted)
	if err != nil {
		return nil, err
	}
	annotations := anyValues(u.wanted.Annotations)
	annotations[sinceAnnotation] = nil // of the pods that a first release has asked for
	if !u.manifests {
		own, err := u.released()
		return map[string]any{"metadata": map[string]any{"annotations": annotations}, "spec": podsWith(own)}, err
	}
	u.keepRestart(o)
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	if spec["strategy"] == nil {
		spec["strategy"] = map[string]any{}
	}
	for _, value := range spec {
		if whole, is := value.(map[string]any); is {
			whole["$patch"] = "replace"
		}
	}
	labels, alone := anyValues(u.wanted.Labels), ownAlone(u.managers)
	unset(labels, alone.labels)
	unset(annotations, alone.annotations)
	unset(spec, alone.spec)
	return map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}, "spec": spec}, nil
}

// unset removes what a patch says nothing of.
func unset(patch map[string]any, names []string) {
	for _, name := range names {
		if _, said := patch[name]; !said {
			patch[name] = nil
		}
	}
}

// released is what a release without manifests changes of its container.
func (u homeUpdate) released() (map[string]any, error) {
	named := func(c corev1.Container) bool { return c.Name == u.container }
	is, was := u.wanted.Spec.Template.Spec.Containers, u.was.Spec.Template.Spec.Containers
	c := is[slices.IndexFunc(is, named)]
	own := map[string]any{"name": c.Name, "image": c.Image}
	if i := slices.IndexFunc(was, named); i >= 0 && reflect.DeepEqual(was[i].Env, c.Env) {
		return own, nil
	}
	raw, err := json.Marshal(c.Env)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode variables: %w", err)
	}
	var env []any
	if err := json.Unmarshal(raw, &env); err != nil {
		return nil, fault.Errorf(fault.Internal, "decode variables: %w", err)
	}
	own["env"] = append([]any{map[string]any{"$patch": "replace"}}, env...)
	return own, nil
}

// keepRestart leaves the note of the last `kubectl rollout restart`, without which pods would
// start anew for nothing.
func (u homeUpdate) keepRestart(o *unstructured.Unstructured) {
	const restarted = "kubectl.kubernetes.io/restartedAt"
	if at := u.was.Spec.Template.Annotations[restarted]; at != "" {
		_ = unstructured.SetNestedField(o.Object, at, "spec", "template", "metadata", "annotations", restarted)
	}
}

// said are the names of what somebody has set of a Deployment beside its pods.
type said struct{ labels, annotations, spec []string }

// ownAlone is what Fairway alone has set for releases, beside its own notes and the number of
// pods: what the next release does not say of it goes.
func ownAlone(entries []metav1.ManagedFieldsEntry) said {
	var ours, others said
	for _, e := range entries {
		of := &others
		if e.Manager == fieldManager {
			of = &ours
		}
		by := saidBy(e)
		of.labels, of.annotations, of.spec = append(of.labels, by.labels...), append(of.annotations, by.annotations...), append(of.spec, by.spec...)
	}
	without := func(all, others []string) []string {
		return slices.DeleteFunc(all, func(name string) bool {
			return slices.Contains(others, name) || strings.HasPrefix(name, "fairway.dev/")
		})
	}
	return said{without(ours.labels, others.labels), without(ours.annotations, others.annotations), without(ours.spec, append(others.spec, "replicas"))}
}

// saidBy reads it from a manager's entry.
func saidBy(e metav1.ManagedFieldsEntry) said {
	type fields = map[string]json.RawMessage
	var of struct {
		Metadata struct {
			Labels      fields `json:"f:labels"`
			Annotations fields `json:"f:annotations"`
		} `json:"f:metadata"`
		Spec fields `json:"f:spec"`
	}
	if e.FieldsV1 == nil || e.Subresource != "" || json.Unmarshal(e.FieldsV1.GetRawBytes(), &of) != nil {
		return said{}
	}
	names := func(f fields) (all []string) {
		for name := range f {
			if name, is := strings.CutPrefix(name, "f:"); is {
				all = append(all, name)
			}
		}
		return all
	}
	return said{names(of.Metadata.Labels), names(of.Metadata.Annotations), names(of.Spec)}
}
