package render

import (
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// building is held while Kustomize builds: it keeps the schema of what it builds in a
// variable of the whole process.
var building sync.Mutex

// renderKustomize builds a Kustomize folder: without plugins, and with files only from
// where a kustomization is, or below it. Other folders may be named, as bases are.
func renderKustomize(folder, within string) ([]manifest.Object, error) {
	// Kustomize would fetch what is not there, so all that is named is looked for first.
	if err := scanKustomize(folder, within); err != nil {
		return nil, err
	}
	built, err := build(folder)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the kustomization %s does not build: %s", folder, strings.TrimSpace(err.Error())).
			WithHint("`kubectl kustomize %s` should print the objects", folder)
	}
	var all []manifest.Object
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "the kustomization %s does not build: %s: %w", folder, resource.CurId(), err)
		}
		objects, err := manifest.ReadLoosely(folder, text)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	for i := range all {
		all[i].Origin = folder // the line is that of a text that nobody has
	}
	return all, nil
}

// build also survives a kustomization that makes Kustomize panic.
func build(folder string) (built resmap.ResMap, err error) {
	building.Lock()
	defer building.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize panicked: %v", r)
		}
	}()
	return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
}
