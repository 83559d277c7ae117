package drift

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// alike tells whether two values that need not be written in the same way mean the same.
// Of maps and lists it only knows whether they are as good as not there.
func (c *comparison) alike(at path, desired, live any) bool {
	if desired == nil || live == nil {
		return c.absent(at, desired) && c.absent(at, live)
	}
	switch {
	case isQuantity(c.object.Kind, at):
		if equal, ok := sameQuantity(desired, live); ok {
			return equal
		}
	case c.isBytes(at):
		if equal, ok := sameBytes(desired, live); ok {
			return equal
		}
	case intOrString[at.last()] && !at.inMap():
		if isScalar(desired) && isScalar(live) {
			return fmt.Sprint(desired) == fmt.Sprint(live)
		}
	}
	return isScalar(desired) && isScalar(live) && desired == live
}

// absent tells whether a value says no more than if it were not there.
func (c *comparison) absent(at path, v any) bool {
	chosen := at.inMap() || c.object.Kind == "ConfigMap" || c.object.Kind == "Secret"
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "" && !chosen
	case []any:
		return len(v) == 0
	case Object:
		return len(v) == 0 && dropsEmpty[at.last()]
	case bool:
		return !v && dropsZero[at.last()]
	case float64:
		return v == 0 && dropsZero[at.last()]
	}
	return false
}

func isScalar(v any) bool {
	switch v.(type) {
	case string, bool, float64:
		return true
	}
	return false
}

func sameQuantity(a, b any) (equal, ok bool) {
	if !isScalar(a) || !isScalar(b) {
		return false, false
	}
	x, err := resource.ParseQuantity(fmt.Sprint(a))
	if err != nil {
		return false, false
	}
	y, err := resource.ParseQuantity(fmt.Sprint(b))
	if err != nil {
		return false, false
	}
	return x.Cmp(y) == 0, true
}

// isBytes tells whether a field holds base64, which may be broken into lines.
func (c *comparison) isBytes(at path) bool {
	return len(at) == 2 && ((c.object.Kind == "Secret" && at[0] == "data") || (c.object.Kind == "ConfigMap" && at[0] == "binaryData"))
}

func sameBytes(a, b any) (equal, ok bool) {
	x, err := base64.StdEncoding.DecodeString(withoutSpace(text(a)))
	if err != nil {
		return false, false
	}
	y, err := base64.StdEncoding.DecodeString(withoutSpace(text(b)))
	if err != nil {
		return false, false
	}
	return bytes.Equal(x, y), true
}

func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }

// unify makes an object one that can be compared: numbers are of one kind, and what a
// Secret says in plain text stands where the API server puts it.
func unify(o Object) Object {
	unified, _ := unifyValue(o).(Object)
	plain, _ := unified["stringData"].(Object)
	if unified["kind"] != "Secret" || plain == nil {
		return unified
	}
	data, _ := unified["data"].(Object)
	data = maps.Clone(data)
	if data == nil {
		data = Object{}
	}
	for name, value := range plain {
		data[name] = base64.StdEncoding.EncodeToString([]byte(text(value)))
	}
	unified["data"] = data
	delete(unified, "stringData")
	return unified
}

// unifyValue copies a value. Every number becomes a float64, as JSON has it: Kubernetes
// has none that would not fit.
func unifyValue(v any) any {
	switch v := v.(type) {
	case Object:
		out := make(Object, len(v))
		for name, value := range v {
			out[name] = unifyValue(value)
		}
		return out
	case map[any]any:
		out := make(Object, len(v))
		for name, value := range v {
			out[fmt.Sprint(name)] = unifyValue(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = unifyValue(value)
		}
		return out
	case nil, string, bool, float64:
		return v
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Sprint(v)
	}
	return out
}
