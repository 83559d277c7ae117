package kubernetes

import (
	"encoding/json"
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// backends are the rules of a route that lead to the home's Service: the part of the route
// whose backendRefs are Fairway's. Other rules are not looked at.
type backends struct {
	route *unstructured.Unstructured
	home  string // the home's Service
	rules []any  // all rules of the route, ours and others
	ours  []int
}

// readBackends finds the rules. A route without one is fault.Invalid.
func readBackends(route *unstructured.Unstructured, home string) (backends, error) {
	rules, _, err := unstructured.NestedSlice(route.Object, "spec", "rules")
	if err != nil {
		return backends{}, fault.Errorf(fault.Invalid, "read the rules of %s %s: %w", route.GetKind(), route.GetName(), err)
	}
	b := backends{route: route, home: home, rules: rules}
	for i := range rules {
		if b.find(i, home) != nil {
			b.ours = append(b.ours, i)
		}
	}
	if len(b.ours) == 0 {
		return backends{}, fault.Errorf(fault.Invalid, "no rule of %s %s/%s leads to the Service %s", route.GetKind(), route.GetNamespace(), route.GetName(), home).
			WithHint("`service` names the Service of the home, `route` the route that has it among its backendRefs")
	}
	return b, nil
}

func (b backends) refs(rule int) []any {
	r, _ := b.rules[rule].(map[string]any)
	refs, _ := r["backendRefs"].([]any)
	return refs
}

// find returns the backendRef of a Service of the route's own namespace.
func (b backends) find(rule int, service string) map[string]any {
	for _, ref := range b.refs(rule) {
		if r, ok := ref.(map[string]any); ok && b.names(r, service) {
			return r
		}
	}
	return nil
}

func (b backends) names(ref map[string]any, service string) bool {
	return ref["name"] == service && (ref["kind"] == nil || ref["kind"] == "Service") && (ref["group"] == nil || ref["group"] == "") &&
		(ref["namespace"] == nil || ref["namespace"] == b.route.GetNamespace())
}

// admissible refuses a route whose rules lead to more than the known Services.
func (b backends) admissible(known []string) error {
	name := b.foreign(known)
	if name == "" {
		return nil
	}
	return fault.Errorf(fault.Invalid, "a rule of the %s %s leads to the Service %s beside %s", b.route.GetKind(), b.route.GetName(), name, b.home).
		WithHint("Fairway splits the traffic of rules that lead to %s alone; move %s into a rule of its own", b.home, name)
}

// begin notes the weights to restore as they are now, if the rules lead to the home alone:
// somebody may have changed them since the last release.
func (b backends) begin(m *mark) {
	for _, i := range b.ours {
		if refs := b.refs(i); len(refs) != 1 || weightOf(b.find(i, b.home)) == 0 {
			return
		}
	}
	m.Original = b.original()
}

// possible: a gateway can give any weights.
func (b backends) possible(map[string]int, func(string) int) error { return nil }

func (b backends) disagreement() string { return "its rules split the traffic differently" }

func (b backends) field() string { return "f:rules" }

// foreign returns the name of a backend in our rules that is none of the Services; empty if there is none.
func (b backends) foreign(known []string) string {
	for _, i := range b.ours {
		for _, ref := range b.refs(i) {
			r, _ := ref.(map[string]any)
			if !slices.ContainsFunc(known, func(s string) bool { return b.names(r, s) }) {
				name, _ := r["name"].(string)
				return name
			}
		}
	}
	return ""
}

// shares are those of the first of our rules; agree tells whether all of them say the same.
func (b backends) shares() (shares map[string]int, agree bool) {
	agree = true
	for n, i := range b.ours {
		of := shareOut(b.refs(i))
		if n == 0 {
			shares = of
		} else if !sameShares(shares, of) {
			agree = false
		}
	}
	return shares, agree
}

// shareOut turns the weights of one rule into parts per million that sum to the whole.
func shareOut(refs []any) map[string]int {
	raw, sum := map[string]int64{}, int64(0)
	for _, ref := range refs {
		r, _ := ref.(map[string]any)
		name, _ := r["name"].(string)
		w := weightOf(r)
		raw[name] += w
		sum += w
	}
	shares := map[string]int{}
	if sum == 0 {
		return shares
	}
	rest, largest := platform.Whole, ""
	for name, w := range raw {
		if w == 0 {
			continue
		}
		shares[name] = int(math.Round(float64(w) / float64(sum) * platform.Whole))
		rest -= shares[name]
		if largest == "" || shares[name] > shares[largest] || shares[name] == shares[largest] && name < largest {
			largest = name
		}
	}
	shares[largest] += rest // rounding errors go where they matter least
	return shares
}

func sameShares(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// weightOf is the weight of a backendRef; the Gateway API's default is 1.
func weightOf(ref map[string]any) int64 {
	switch w := ref["weight"].(type) {
	case int64:
		return w
	case float64:
		return int64(w)
	}
	return 1
}

// give writes all our rules, with the Services in the order given. Port and filters are
// those of the home's backendRef. A home that has everything, with nothing beside it, has the
// weights that are its own.
func (b backends) give(m *mark, services []string, weights map[string]int) *unstructured.Unstructured {
	if len(services) == 1 && weights[b.home] == platform.Whole {
		return b.restore(m.Original)
	}
	return b.write(func(_ int, home map[string]any) []any {
		var refs []any
		for _, s := range services {
			ref := runtimeCopy(home)
			ref["name"], ref["weight"] = s, int64(weights[s])
			refs = append(refs, ref)
		}
		return refs
	})
}

// without leads to a Service that goes no longer. Where only the home is left, the rules
// are as they were before Fairway came.
func (b backends) without(m *mark, gone string, services []string) *unstructured.Unstructured {
	if route := b.admit(gone, platform.Match{}); route != nil { // whom it admitted goes with the others
		if left, err := readBackends(route, b.home); err == nil {
			if without := left.without(m, gone, services); without != nil {
				return without
			}
		}
		return route
	}
	named := slices.ContainsFunc(b.ours, func(rule int) bool { return b.find(rule, gone) != nil })
	if !named {
		return nil
	}
	shares, _ := b.shares()
	left := slices.DeleteFunc(slices.Clone(services), func(s string) bool { return s == gone })
	if len(left) == 1 && shares[b.home] == platform.Whole {
		return b.restore(m.Original)
	}
	return b.give(m, left, shares)
}

// restore leaves the home's Service alone in our rules, with the weights that it had
// before Fairway came: one per rule, nil where there was none.
func (b backends) restore(original []*int64) *unstructured.Unstructured {
	return b.write(func(n int, home map[string]any) []any {
		ref := runtimeCopy(home)
		delete(ref, "weight")
		if n < len(original) && original[n] != nil && *original[n] > 0 {
			ref["weight"] = *original[n]
		}
		return []any{ref}
	})
}

// left restores the weights of a home that has none.
func (b backends) left(m *mark) *unstructured.Unstructured {
	if shares, _ := b.shares(); len(shares) > 0 {
		return nil
	}
	return b.restore(m.Original)
}

// original are the weights of the home's Service, for restore.
func (b backends) original() []*int64 {
	var all []*int64
	for _, i := range b.ours {
		ref := b.find(i, b.home)
		if _, set := ref["weight"]; !set {
			all = append(all, nil)
			continue
		}
		w := weightOf(ref)
		all = append(all, &w)
	}
	return all
}

func (b backends) write(refs func(n int, home map[string]any) []any) *unstructured.Unstructured {
	route := b.route.DeepCopy()
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for n, i := range b.ours {
		rule, _ := rules[i].(map[string]any)
		rule["backendRefs"] = refs(n, b.find(i, b.home))
	}
	_ = unstructured.SetNestedSlice(route.Object, rules, "spec", "rules")
	return route
}

func runtimeCopy(m map[string]any) map[string]any {
	return (&unstructured.Unstructured{Object: m}).DeepCopy().Object
}

// lastWriter names who wrote a field of the anchor's spec last, other than Fairway; empty
// if nobody did.
func lastWriter(anchor *unstructured.Unstructured, field string) string {
	who, when := "", int64(math.MinInt64)
	for _, m := range anchor.GetManagedFields() {
		if m.Manager == fieldManager || m.FieldsV1 == nil || m.Subresource != "" {
			continue
		}
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if _, wrote := fields.Spec[field]; wrote && m.Time != nil && m.Time.UnixNano() > when {
			who, when = m.Manager, m.Time.UnixNano()
		}
	}
	return who
}
