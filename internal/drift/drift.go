// Package drift compares Kubernetes objects field by field: what should run, as Git or a
// plan says it, with what runs; or what should run in one environment with what should
// run in another.
//
// Only what is desired counts. What the API server has filled in, and what controllers
// and people have added beside it, is no drift: a field is one that the desired object
// sets, and that the live one lacks or has otherwise. Lists whose elements have a key in
// Kubernetes are compared by it, quantities by their value, and the values of Secrets are
// compared but never shown.
//
//	differences := drift.Compare(desired, live, drift.Options{
//		Namespace: "shop",
//		Ignore:    drift.Autoscaled(live),
//	})
//	fmt.Print(drift.Text(differences, "Git", "the cluster"))
//
// It is pure: it reads neither repositories nor clusters, and does not know what should
// be done about a difference. It knows no schemas either, so an object must be read from
// the cluster in the API version in which it is desired.
package drift

import (
	"cmp"
	"slices"
	"strings"
)

// Object is a Kubernetes object as JSON or YAML decodes it: maps with names, lists,
// strings, numbers of any kind, booleans.
type Object = map[string]any

// Identity names an object.
type Identity struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is KIND NAMESPACE/NAME, for people.
func (i Identity) String() string {
	if i.Namespace == "" {
		return i.Kind + " " + i.Name
	}
	return i.Kind + " " + i.Namespace + "/" + i.Name
}

// What says what a difference is about.
type What string

// What a difference can be about.
const (
	Changed What = "changed" // a field
	Missing What = "missing" // an object that is desired and does not exist
	Extra   What = "extra"   // an object that exists and is not desired
)

// Hidden stands for the value of a Secret.
const Hidden = "(hidden)"

// Difference is one field, or one object, that is not as desired.
type Difference struct {
	Object Identity `json:"object"`
	What   What     `json:"what"`
	// Path is the field, as people write it: spec.template.spec.containers[app].image.
	// Elements of lists are named by their keys or numbers. Empty unless Changed.
	Path string `json:"path,omitempty"`
	// Desired and Live are the values, as JSON has them; nil is a field that is not there.
	Desired any `json:"desired,omitempty"`
	Live    any `json:"live,omitempty"`
}

// Options say what is not looked at.
type Options struct {
	// Namespace is where objects belong that name none; empty means any.
	Namespace string
	// Ignore are the fields that belong to others.
	Ignore []Ignore
	// Extra also reports the live objects that are not desired.
	Extra bool
}

// Compare returns how live objects differ from desired ones, sorted by object and path.
func Compare(desired, live []Object, o Options) []Difference {
	c := newComparison(o, false)
	pairs, extra := match(desired, live, func(wanted Identity, is Identity) bool {
		if wanted.Namespace == "" {
			// Objects of the cluster have no namespace, whatever the default is.
			return o.Namespace == "" || is.Namespace == o.Namespace || is.Namespace == ""
		}
		return wanted.Namespace == is.Namespace
	})
	c.pairs(pairs)
	if o.Extra {
		c.extra(extra)
	}
	return c.sorted()
}

// Between returns how two sets of desired objects differ: what the first says is
// Desired, what the second says is Live, and an object that only one of them has is
// Missing or Extra. Unlike Compare it counts what either of them sets. Namespaces do not
// count, as those of two environments differ anyway.
func Between(first, second []Object, o Options) []Difference {
	c := newComparison(o, true)
	pairs, extra := match(first, second, func(Identity, Identity) bool { return true })
	c.pairs(pairs)
	c.extra(extra)
	for i := range c.out {
		c.out[i].Object.Namespace = ""
	}
	return c.sorted()
}

// pair is a desired object and what it is compared with, if there is such a thing.
type pair struct{ desired, live Object }

// match finds each object's counterpart, and what is left over. Each is taken once.
func match(desired, live []Object, same func(wanted, is Identity) bool) (pairs []pair, extra []Object) {
	type named struct{ group, kind, name string }
	by := map[named][]Object{}
	for _, object := range live {
		i := identify(object)
		n := named{i.Group, i.Kind, i.Name}
		by[n] = append(by[n], object)
	}
	taken := map[*Object]bool{}
	for _, object := range desired {
		i := identify(object)
		candidates := by[named{i.Group, i.Kind, i.Name}]
		found := Object(nil)
		for at := range candidates {
			if c := &candidates[at]; !taken[c] && same(i, identify(*c)) {
				taken[c], found = true, *c
				break
			}
		}
		pairs = append(pairs, pair{object, found})
	}
	for _, candidates := range by {
		for at := range candidates {
			if !taken[&candidates[at]] {
				extra = append(extra, candidates[at])
			}
		}
	}
	return pairs, extra
}

func identify(o Object) Identity {
	metadata, _ := o["metadata"].(Object)
	group, _, ok := strings.Cut(text(o["apiVersion"]), "/")
	if !ok {
		group = ""
	}
	return Identity{Group: group, Kind: text(o["kind"]), Namespace: text(metadata["namespace"]), Name: text(metadata["name"])}
}

// text is a string, or empty.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// pairs compares the objects that have a counterpart.
func (c *comparison) pairs(pairs []pair) {
	for _, p := range pairs {
		c.object = identify(p.desired)
		if c.object.Namespace == "" {
			c.object.Namespace = identify(p.live).Namespace
		}
		if p.live == nil {
			c.out = append(c.out, Difference{Object: c.object, What: Missing})
			continue
		}
		c.fields(nil, unify(p.desired), unify(p.live))
	}
}

func (c *comparison) extra(objects []Object) {
	for _, object := range objects {
		c.out = append(c.out, Difference{Object: identify(object), What: Extra})
	}
}

func (c *comparison) sorted() []Difference {
	slices.SortStableFunc(c.out, func(a, b Difference) int {
		return cmp.Or(
			strings.Compare(a.Object.Kind, b.Object.Kind), strings.Compare(a.Object.Group, b.Object.Group),
			strings.Compare(a.Object.Namespace, b.Object.Namespace), strings.Compare(a.Object.Name, b.Object.Name),
			strings.Compare(a.Path, b.Path),
		)
	})
	return c.out
}
