package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// kind is a kind of object that may come with a release, beside its Deployment.
type kind struct {
	name     string
	resource schema.GroupVersionResource
	// before says that pods need it: it is written before them, and the others after.
	before bool
}

// released kinds. Routes are not among them, for their weights are the release's.
var kinds = []kind{
	{"ServiceAccount", serviceAccounts, true},
	{"ConfigMap", configMaps, true},
	{"Secret", secrets, true},
	{"Service", services, false},
	{"PodDisruptionBudget", budgets, false},
	{"NetworkPolicy", networkPolicies, false},
	{"ServiceMonitor", serviceMonitors, false},
	{"HorizontalPodAutoscaler", autoscalers, false},
}

// objects are the manifests of a release.
func (s Settings) objects() ([]manifest.Object, error) {
	var all []manifest.Object
	for _, raw := range s.Objects {
		var o struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, unreadable(err)
		}
		all = append(all, manifest.Object{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, Raw: raw})
	}
	return all, nil
}

// allPlaceable are those that pods need, and then the others.
func (s Settings) allPlaceable() ([]placedObject, error) {
	needed, err := s.placeable(true)
	if err != nil {
		return nil, err
	}
	rest, err := s.placeable(false)
	return append(needed, rest...), err
}

// placeable are the manifests of the kinds that Fairway writes itself; before chooses
// those that pods need, or the others.
func (s Settings) placeable(before bool) ([]placedObject, error) {
	objects, err := s.objects()
	if err != nil {
		return nil, err
	}
	var all []placedObject
	for _, k := range kinds {
		for _, o := range objects {
			if o.Kind != k.name || o.Group() != k.resource.Group || k.before != before {
				continue
			}
			u, err := s.decode(o)
			if err != nil {
				return nil, err
			}
			all = append(all, placedObject{k.resource, u})
		}
	}
	return all, nil
}

func unreadable(err error) error {
	return fault.Errorf(fault.Invalid, "read the manifests of the release: %w", err).
		WithHint("correct the manifest and ship again; `kubectl apply --dry-run=server` says the same of it")
}

func decode(raw []byte) (*unstructured.Unstructured, error) {
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(raw); err != nil {
		return nil, unreadable(err)
	}
	return &u, nil
}

// applyAll writes objects, in order.
func (p *Platform) applyAll(ctx context.Context, all []placedObject) error {
	for _, o := range all {
		if _, err := p.apply(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// pinned are the config maps and Secrets of a release under names made of their content,
// so that a side has its own while the home keeps those that it has. Of a Secret that is
// what the plan has of it: a name of its values would let them be guessed.
func (s Settings) pinned() (names map[manifest.Reference]string, config []placedObject, err error) {
	objects, err := s.objects()
	if err != nil {
		return nil, nil, err
	}
	names = map[manifest.Reference]string{}
	for _, o := range objects {
		k := kindOf(o.Group(), o.Kind)
		if k == nil || k.resource != configMaps && k.resource != secrets {
			continue
		}
		name, err := manifest.ContentName(o)
		if err != nil {
			return nil, nil, err
		}
		names[manifest.Reference{Kind: o.Kind, Name: o.Name}] = name
		u, err := s.decode(o)
		if err != nil {
			return nil, nil, err
		}
		u.SetName(name)
		config = append(config, placedObject{k.resource, u})
	}
	return names, config, nil
}

// renamed is a Deployment whose pods refer to config under its pinned names.
func renamed(d *appsv1.Deployment, names map[manifest.Reference]string) (*appsv1.Deployment, error) {
	if len(names) == 0 {
		return d, nil
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode Deployment %s: %w", d.Name, err)
	}
	o, err := manifest.RenameReferences(manifest.Object{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, Raw: raw}, names)
	if err != nil {
		return nil, err
	}
	var own appsv1.Deployment
	if err := json.Unmarshal(o.Raw, &own); err != nil {
		return nil, fault.Errorf(fault.Internal, "decode Deployment %s: %w", d.Name, err)
	}
	return &own, nil
}

// configAnnotation on pods at home changes with the release's config, so that new config
// starts new pods there as well.
const configAnnotation = "fairway.dev/config"

// markConfig writes it, where the release has config.
func markConfig(d *appsv1.Deployment, names map[manifest.Reference]string) {
	if len(names) == 0 {
		return
	}
	var all []string
	for _, name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	h := sha256.New()
	for _, name := range all {
		h.Write([]byte(name + "\n"))
	}
	if d.Spec.Template.Annotations == nil {
		d.Spec.Template.Annotations = map[string]string{}
	}
	d.Spec.Template.Annotations[configAnnotation] = hex.EncodeToString(h.Sum(nil))[:10]
}
