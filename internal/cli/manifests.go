package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/manifest/render"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/sealed"
)

// rendered are the manifests of all environments, as they become part of a plan.
type rendered struct {
	// objects have digests in the places of Secrets' values, which sealed has, by environment.
	objects map[string][]json.RawMessage
	sealed  map[string]string
	// notes say what of the manifests is left out, by environment.
	notes map[string][]string
}

// readManifests renders what the definition names, with the artifact's image, and seals the
// values of Secrets with the keys.
func readManifests(ctx context.Context, def *pipeline.Definition, path string, a artifact, keys sealingKeys) (rendered, error) {
	all := rendered{objects: map[string][]json.RawMessage{}, sealed: map[string]string{}, notes: map[string][]string{}}
	for _, s := range def.Manifests() {
		key, sealing, err := keys.of(s.Environment)
		if err != nil {
			return rendered{}, err
		}
		objects, notes, err := renderOne(ctx, s, filepath.Dir(path), a, sealing)
		if err == nil && sealing {
			objects, err = all.seal(objects, key, s)
		}
		if err != nil {
			return rendered{}, fault.Errorf(fault.CodeOf(err), "the manifests of %s: %w", s.Environment, err).WithHint("%s", fault.HintOf(err))
		}
		all.notes[s.Environment] = notes
		for _, o := range objects {
			all.objects[s.Environment] = append(all.objects[s.Environment], o.Raw)
		}
	}
	return all, nil
}

// seal keeps the values of Secrets sealed, and returns the objects with digests in their
// places.
func (r rendered) seal(objects []manifest.Object, key sealed.SealingKey, s pipeline.ManifestSource) ([]manifest.Object, error) {
	values, err := manifest.ValuesOf(objects)
	if err != nil {
		return nil, err
	}
	if len(values) > 0 {
		text, err := json.Marshal(values)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "encode the values of Secrets: %w", err)
		}
		if r.sealed[s.Environment], err = key.Seal(sealed.Purpose(s.Service, s.Environment), text); err != nil {
			return nil, err
		}
	}
	return manifest.Redact(objects, key.DigestKey())
}

// renderOne renders the manifests of an environment; secrets keeps the Secrets among them.
func renderOne(ctx context.Context, s pipeline.ManifestSource, base string, a artifact, secrets bool) ([]manifest.Object, []string, error) {
	r, err := render.Render(ctx, render.Source{
		Base: base, Path: s.Path, Repository: s.Repository, Commit: s.Commit, Values: s.Values, Set: s.Set,
		Name: s.Service, Namespace: s.Namespace,
	})
	if err != nil {
		return nil, nil, err
	}
	notes := r.LeftOut
	var kept []manifest.Object
	for _, o := range r.Objects {
		switch {
		case o.Namespace != "" && o.Namespace != s.Namespace:
			return nil, nil, fault.Errorf(fault.Invalid, "%s is for another namespace than %s", o, s.Namespace).
				WithHint("a release stays in the one namespace that `kubernetes.namespace` names; leave %s out of %s", o, s.Path)
		case o.IsSecret() && !secrets:
			notes = append(notes, fmt.Sprintf("%s is not released, as there is no key to seal its values with. Pods find the one that is in the cluster. `fairway key --help` says how to release it.", o))
		default:
			kept = append(kept, o)
			if !o.Released(s.Deployment) {
				notes = append(notes, fmt.Sprintf("%s is not released: it is yours to apply.", o))
			}
		}
	}
	image := a.ref + "@" + a.digest
	if a.ref == unnamed {
		image = "not-named@" + a.digest // only to see that there is a container for it
	}
	kept, err = manifest.SetImage(kept, manifest.Workload{Deployment: s.Deployment, Container: s.Container}, image)
	return kept, notes, err
}

// tell writes what of the manifests is left out.
func (r rendered) tell(w io.Writer) {
	for _, environment := range slices.Sorted(maps.Keys(r.notes)) {
		for _, note := range r.notes[environment] {
			fmt.Fprintf(w, "note: in %s %s\n", environment, note)
		}
	}
}
