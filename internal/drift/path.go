package drift

import (
	"fmt"
	"slices"
	"strings"
)

// path leads to a field. A segment in brackets is an element of a list, or a name that
// has dots or slashes itself.
type path []string

func (p path) field(name string) path {
	if name == "" || strings.ContainsAny(name, "./[]*") {
		name = "[" + name + "]"
	}
	return append(slices.Clip(p), name)
}

func (p path) element(key string) path { return append(slices.Clip(p), "["+key+"]") }

func (p path) number(i int) path { return p.element(fmt.Sprint(i)) }

// last is the name of the field, without brackets.
func (p path) last() string { return p.back(0) }

// back is the name of a segment, counted from the end.
func (p path) back(n int) string {
	if n >= len(p) {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(p[len(p)-1-n], "["), "]")
}

// String is the path as people write it.
func (p path) String() string {
	var b strings.Builder
	for i, segment := range p {
		if i > 0 && !strings.HasPrefix(segment, "[") {
			b.WriteByte('.')
		}
		b.WriteString(segment)
	}
	return b.String()
}

// parsePath reads what String writes.
func parsePath(text string) path {
	var p path
	for text != "" {
		text = strings.TrimPrefix(text, ".")
		end := strings.IndexAny(text, ".[")
		if strings.HasPrefix(text, "[") {
			end = strings.IndexByte(text, ']') + 1
		}
		if end <= 0 {
			end = len(text)
		}
		p, text = append(p, text[:end]), text[end:]
	}
	return p
}

// Ignore names a field that is not compared, with all that is below it.
type Ignore struct {
	// Kind and Name say in which objects; empty means any.
	Kind, Name string
	// Path is written as in a Difference. A segment "*" is any name, and "[*]" any element:
	// spec.rules[*].backendRefs[*].weight.
	Path string
}

// Autoscaled returns what has to be ignored because HorizontalPodAutoscalers among the
// objects decide it: the replicas of what they scale.
func Autoscaled(objects []Object) []Ignore {
	var ignore []Ignore
	for _, o := range objects {
		if o["kind"] != "HorizontalPodAutoscaler" {
			continue
		}
		spec, _ := o["spec"].(Object)
		target, _ := spec["scaleTargetRef"].(Object)
		if kind, name := text(target["kind"]), text(target["name"]); kind != "" && name != "" {
			ignore = append(ignore, Ignore{Kind: kind, Name: name, Path: "spec.replicas"})
		}
	}
	return ignore
}

// pattern is an Ignore that is ready to be compared with paths.
type pattern struct {
	kind, name string
	path       path
}

// own are the fields that only the API server and its controllers write, and those that
// are no part of what is desired.
var own = patterns(
	"apiVersion", "kind", "status",
	"metadata.name", "metadata.namespace", "metadata.generateName", "metadata.uid", "metadata.resourceVersion",
	"metadata.generation", "metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds",
	"metadata.managedFields", "metadata.selfLink",
	"metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
	"metadata.annotations[deployment.kubernetes.io/revision]",
	"spec.template.metadata.creationTimestamp",
)

func patterns(paths ...string) []pattern {
	all := make([]pattern, len(paths))
	for i, p := range paths {
		all[i] = pattern{path: parsePath(p)}
	}
	return all
}

// ignored tells whether a field is one of those.
func (c *comparison) ignored(at path) bool {
	return slices.ContainsFunc(c.ignore, func(p pattern) bool {
		return (p.kind == "" || p.kind == c.object.Kind) && (p.name == "" || p.name == c.object.Name) && p.matches(at)
	})
}

func (p pattern) matches(at path) bool {
	if len(p.path) == 0 || len(p.path) != len(at) {
		return false
	}
	for i, segment := range p.path {
		bracket := strings.HasPrefix(at[i], "[")
		if segment != at[i] && (segment != "*" || bracket) && (segment != "[*]" || !bracket) {
			return false
		}
	}
	return true
}
