// Package render makes Kubernetes objects of what a team keeps them in: a folder of
// YAML, a Kustomize folder or a Helm chart, beside fairway.yaml or in a Git repository.
//
//	rendered, err := render.Render(ctx, render.Source{
//		Path: "deploy/chart", Values: []string{"deploy/production.yaml"},
//		Name: "shop", Namespace: "shop",
//	})
//
// It renders as the tools do on a machine without a cluster: it never talks to one, and
// fetches nothing but the repository that it is told. The same files give the same
// objects; what would give others each time (a random password in a chart) is refused.
// Whatever is wrong with the files is fault.Invalid with file, line and a hint, and
// nothing in them may read files outside of where they are.
//
// It decides nothing about the objects: no namespace is filled in, and no image set.
package render

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// Source says where manifests are and how to render them.
type Source struct {
	// Base is the folder that paths are relative to, usually that of fairway.yaml.
	// Empty is the working directory. Of a Repository it is the root, whatever is said here.
	Base string
	// Path is a folder of YAML, one file of it, a Kustomize folder or a chart (a folder
	// or a .tgz). Its form is recognised by what is in it.
	Path string
	// Repository is what `git fetch` takes: a URL, host:path or a path on this machine.
	// Empty means that the manifests are on this machine already. Commit is the whole
	// hash of the commit to take.
	Repository, Commit string
	// Values are values files of a chart; the last one counts most.
	Values []string
	// Set are single values of a chart by their path ("image.tag"), and count more than
	// Values. true, false, null and whole numbers are what they look like; {a,b} is a list.
	Set map[string]string
	// Name and Namespace are what a chart knows as the release's. Namespace also tells
	// that an object with and one without it are the same.
	Name, Namespace string
	// KubernetesVersion is what a chart believes the cluster to be, for instance
	// "v1.34.2". Default: DefaultKubernetesVersion.
	KubernetesVersion string
	// APIVersions are what a chart may know of the cluster beside Kubernetes' own APIs,
	// for instance "gateway.networking.k8s.io/v1".
	APIVersions []string

	// within is what nothing may be read outside of; empty is everywhere.
	within string
}

// DefaultKubernetesVersion is the cluster that charts see where none is named.
const DefaultKubernetesVersion = "v1.34.0"

// Form is what a source turned out to be.
type Form string

// The forms.
const (
	Plain     Form = "plain"
	Kustomize Form = "kustomize"
	Chart     Form = "chart"
)

// Rendered is what came out of a source.
type Rendered struct {
	Form Form
	// Objects are settled (see manifest.Settle).
	Objects []manifest.Object
	// LeftOut says, a sentence each, what of a chart plays no part: hooks, custom
	// resource definitions, and a schema that would have to be fetched.
	LeftOut []string
}

// Render reads a source. Bad files are fault.Invalid, a path or commit that is not there
// is fault.NotFound, a repository that cannot be reached fault.Unavailable.
func Render(ctx context.Context, source Source) (Rendered, error) {
	if source.Path == "" {
		source.Path = "."
	}
	if source.Repository == "" {
		return renderFolder(ctx, source)
	}
	folder, err := fetch(ctx, source)
	if err != nil {
		return Rendered{}, err
	}
	defer os.RemoveAll(folder)
	source.Base, source.within = folder, folder
	rendered, err := renderFolder(ctx, source)
	if err != nil {
		return Rendered{}, without(folder, err)
	}
	for i, o := range rendered.Objects {
		rendered.Objects[i].Origin = plainly(folder, o.Origin)
	}
	return rendered, nil
}

func renderFolder(ctx context.Context, source Source) (Rendered, error) {
	path, form, err := recognise(source)
	if err != nil {
		return Rendered{}, err
	}
	if form != Chart && len(source.Values)+len(source.Set) > 0 {
		return Rendered{}, fault.Errorf(fault.Invalid, "values are for a Helm chart, and %s is none", path).
			WithHint("a chart has a Chart.yaml; remove the values or point at the chart")
	}
	rendered := Rendered{Form: form}
	switch form {
	case Chart:
		rendered.Objects, rendered.LeftOut, err = renderChart(ctx, path, source)
	case Kustomize:
		rendered.Objects, err = renderKustomize(path, source.within)
	default:
		rendered.Objects, err = readPlain(path)
	}
	if err != nil {
		return Rendered{}, err
	}
	if err := ctx.Err(); err != nil {
		return Rendered{}, fault.Errorf(fault.Unavailable, "render %s: %w", path, err)
	}
	if len(rendered.Objects) == 0 {
		return Rendered{}, nothing(path, rendered)
	}
	rendered.Objects, err = manifest.Settle(rendered.Objects, source.Namespace)
	return rendered, err
}

func nothing(path string, rendered Rendered) error {
	hints := map[Form]string{
		Plain:     "files of manifests end with .yaml, .yml or .json",
		Kustomize: "the kustomization needs resources or generators",
		Chart:     "look at which values its templates ask for",
	}
	hint := hints[rendered.Form]
	if len(rendered.LeftOut) > 0 {
		hint = strings.Join(rendered.LeftOut, "; ")
	}
	return fault.Errorf(fault.Invalid, "%s has no objects", path).WithHint("%s", hint)
}

// kustomizations are the names that a kustomization may have.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// recognise returns where to render and what it is.
func recognise(source Source) (string, Form, error) {
	path := located(source, source.Path)
	info, err := os.Stat(path)
	if err != nil {
		return "", "", fault.Errorf(fault.NotFound, "there are no manifests at %s: %w", path, reason(err)).
			WithHint("the path is relative to fairway.yaml or, with a repository, to its root")
	}
	if !info.IsDir() {
		name := filepath.Base(path)
		switch {
		case name == "Chart.yaml":
			return filepath.Dir(path), Chart, nil
		case strings.HasSuffix(name, ".tgz"):
			return path, Chart, nil
		}
		for _, k := range kustomizations {
			if name == k {
				return filepath.Dir(path), Kustomize, nil
			}
		}
		return path, Plain, nil
	}
	chart, kustomize := has(path, "Chart.yaml"), has(path, kustomizations...)
	switch {
	case chart && kustomize:
		return "", "", fault.Errorf(fault.Invalid, "%s is a chart and a Kustomize folder at once", path).
			WithHint("point at its Chart.yaml or at its kustomization, whichever is meant")
	case chart:
		return path, Chart, nil
	case kustomize:
		return path, Kustomize, nil
	}
	return path, Plain, nil
}

// located is where a path of the source is on this machine.
func located(source Source, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(source.Base, path)
}

func has(folder string, names ...string) bool {
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// without takes the temporary folder out of an error.
func without(folder string, err error) error {
	return &fault.Error{
		Code:    fault.CodeOf(err),
		Message: plainly(folder, err.Error()),
		Hint:    plainly(folder, fault.HintOf(err)),
		Err:     err,
	}
}

// plainly names files as people know them: by their paths in the repository.
func plainly(folder, text string) string {
	return strings.NewReplacer(folder+string(filepath.Separator), "", folder, "the repository").Replace(text)
}
