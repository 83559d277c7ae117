package drift_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/drift"
)

// drawn is a random object, and the leaves in it.
type drawn struct {
	t      *rapid.T
	leaves []leaf
}

// leaf is a value with its path, and a way to change it.
type leaf struct {
	path string
	set  func(any)
	is   any
}

func (d *drawn) object(path string, depth int) map[string]any {
	o := map[string]any{}
	for i := range rapid.IntRange(1, 3).Draw(d.t, "fields") {
		name := fmt.Sprintf("f%d", i)
		o[name] = d.value(path+"."+name, depth, func(v any) { o[name] = v })
	}
	if rapid.Bool().Draw(d.t, "containers") {
		o["containers"] = d.containers(path+".containers", depth)
	}
	return o
}

func (d *drawn) value(path string, depth int, set func(any)) any {
	kind := rapid.IntRange(0, 6).Draw(d.t, "kind")
	if depth == 0 {
		kind = 2
	}
	switch kind {
	case 0:
		return d.object(path, depth-1)
	case 1:
		list := make([]any, rapid.IntRange(1, 3).Draw(d.t, "elements"))
		for i := range list {
			list[i] = d.value(fmt.Sprintf("%s[%d]", path, i), depth-1, func(v any) { list[i] = v })
		}
		return list
	}
	v := rapid.SampledFrom([]any{"text", "80", "1000m", "x\ny", 1, 2.5, int64(7), true}).Draw(d.t, "leaf")
	d.leaves = append(d.leaves, leaf{path: path, set: set, is: v})
	return v
}

func (d *drawn) containers(path string, depth int) []any {
	var list []any
	for i := range rapid.IntRange(1, 3).Draw(d.t, "containers") {
		name := fmt.Sprintf("c%d", i)
		c := d.object(fmt.Sprintf("%s[%s]", path, name), max(depth-1, 0))
		c["name"] = name
		list = append(list, c)
	}
	return list
}

// grown copies a value, with fields added to maps, and to lists that have keys.
func grown(t *rapid.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			out[name] = grown(t, value)
			if list, ok := out[name].([]any); ok && name == "containers" {
				list = append(list, map[string]any{"name": "added", "image": "x"})
				out[name] = rapid.Permutation(list).Draw(t, "order")
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "added") {
			out[fmt.Sprintf("added%d", rapid.IntRange(0, 9).Draw(t, "name"))] = rapid.SampledFrom([]any{"x", 1, nil, []any{"x"}, map[string]any{"a": "b"}}).Draw(t, "value")
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = grown(t, out[i])
		}
		return out
	}
	return v
}

func randomObject(t *rapid.T) (*drawn, drift.Object) {
	d := &drawn{t: t}
	spec := d.object("spec", 2)
	return d, drift.Object{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "a"}, "spec": spec}
}

func TestAnObjectDoesNotDriftFromItselfWithMoreInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, desired := randomObject(t)
		live := maps.Clone(desired)
		live["spec"], live["status"] = grown(t, desired["spec"]), map[string]any{"ready": true}
		if got := drift.Compare([]drift.Object{desired}, []drift.Object{live}, drift.Options{Extra: true}); len(got) > 0 {
			t.Fatalf("it drifts:\n%s", drift.Text(got, "desired", "live"))
		}
		if got := drift.Between([]drift.Object{desired}, []drift.Object{desired}, drift.Options{}); len(got) > 0 {
			t.Fatalf("it differs from itself:\n%s", drift.Text(got, "desired", "live"))
		}
	})
}

func TestOneLeafIsOneDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, desired := randomObject(t)
		if len(d.leaves) == 0 {
			t.Skip("no leaves")
		}
		live := maps.Clone(desired)
		live["spec"] = grown(t, desired["spec"])
		changed := rapid.SampledFrom(d.leaves).Draw(t, "the leaf")
		changed.set("another")
		got := drift.Compare([]drift.Object{desired}, []drift.Object{live}, drift.Options{})
		if len(got) != 1 || got[0].Path != changed.path || got[0].Desired != "another" || fmt.Sprint(got[0].Live) != fmt.Sprint(changed.is) {
			t.Fatalf("%s was %v:\n%s", changed.path, changed.is, drift.Text(got, "desired", "live"))
		}
	})
}

// Whatever stands in objects, a comparison ends, and finds the same from both sides.
func TestBothSidesSeeTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, a := randomObject(t)
		_, b := randomObject(t)
		there := drift.Between([]drift.Object{a}, []drift.Object{b}, drift.Options{})
		back := drift.Between([]drift.Object{b}, []drift.Object{a}, drift.Options{})
		if len(there) != len(back) {
			t.Fatalf("one way:\n%s\nthe other:\n%s", drift.Text(there, "a", "b"), drift.Text(back, "b", "a"))
		}
		for i := range there {
			if there[i].Path != back[i].Path || fmt.Sprint(there[i].Desired) != fmt.Sprint(back[i].Live) {
				t.Fatalf("%+v one way is %+v the other", there[i], back[i])
			}
		}
	})
}
