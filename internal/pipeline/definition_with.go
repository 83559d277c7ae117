package pipeline

import (
	"fmt"
	"path"
	"slices"
)

// with checks the other services that the definition names.
func (v *validator) with() {
	var names []string
	for i, w := range v.def.With {
		at := v.at(fmt.Sprintf("with[%d]", i))
		switch {
		case w.Service == "":
		case w.Service == v.def.Service:
			v.fault(at, "name only other services: this one leads the release", "%q is released with itself", w.Service)
		case slices.Contains(names, w.Service):
			v.fault(at, "name it once: its place is its turn", "%q is there twice", w.Service)
		default:
			names = append(names, w.Service)
		}
		if path.IsAbs(w.File) {
			v.fault(v.at(fmt.Sprintf("with[%d].file", i)), "for instance: ../payments/fairway.yaml", "%q is not relative to this file", w.File)
		}
	}
}

// withNames are the other services that the definition names, in their order.
func (d *Definition) withNames() []string {
	var names []string
	for _, w := range d.With {
		names = append(names, w.Service)
	}
	return names
}
