// Package manifest knows Kubernetes objects as a release carries them: as JSON, with
// what tells one from another. It reads them from YAML and answers what a release wants
// of them before they are placed.
//
//	objects, err := manifest.Read("app.yaml", text)
//	objects, err = manifest.Settle(objects, "shop")          // checked, in their order
//	objects, err = manifest.SetImage(objects, manifest.Workload{}, "ghcr.io/acme/shop@sha256:…")
//	values, err := manifest.ValuesOf(objects)                // those of Secrets
//	kept, err := manifest.Redact(objects, key)               // without them
//	objects, err = manifest.Restore(kept, values, key)       // with them again
//	name, err := manifest.ContentName(config)                // "shop-config-3f1c09ab72"
//
// Everything here is pure: no file, no clock, no cluster, and no function changes the
// objects that it is given. What lies in folders, charts and repositories is the
// business of the package render below; what is done with objects is the platform's.
package manifest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Object is one Kubernetes object. Its fields repeat what stands in Raw.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Namespace is empty where the manifest names none: then the platform knows it.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Raw is the whole object as JSON, its keys sorted.
	Raw json.RawMessage `json:"raw"`
	// Origin is where it was written, for messages: "app.yaml:12". It is not kept.
	Origin string `json:"-"`
}

// Group is the API group without the version, empty for the core ("v1").
func (o Object) Group() string {
	if group, _, ok := strings.Cut(o.APIVersion, "/"); ok {
		return group
	}
	return ""
}

// Annotation is the value of an annotation, or "".
func (o Object) Annotation(name string) string {
	content, err := o.content()
	if err != nil {
		return ""
	}
	return textIn(mapIn(mapIn(content, "metadata"), "annotations"), name)
}

// String names the object as people do: "Deployment shop" or "Deployment team/shop".
func (o Object) String() string {
	if o.Namespace != "" {
		return o.Kind + " " + o.Namespace + "/" + o.Name
	}
	return o.Kind + " " + o.Name
}

// is tells whether o is of a kind that Kubernetes itself defines.
func (o Object) is(group, kind string) bool { return o.Kind == kind && o.Group() == group }

// content decodes Raw. Numbers stay as they are written.
func (o Object) content() (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(o.Raw))
	decoder.UseNumber()
	var content map[string]any
	if err := decoder.Decode(&content); err != nil {
		return nil, fault.Errorf(fault.Invalid, "read %s: %w", o, err)
	}
	return content, nil
}

// with returns o with another content of the same name and kind.
func (o Object) with(content map[string]any) (Object, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return Object{}, fault.Errorf(fault.Internal, "write %s: %w", o, err)
	}
	o.Raw = raw
	return o, nil
}

// mapIn is the map under a key, or nil. Of a nil map it is nil too, so that a path can
// be walked to its end.
func mapIn(m map[string]any, key string) map[string]any {
	inner, _ := m[key].(map[string]any)
	return inner
}

// mapsIn are the maps in the list under a key.
func mapsIn(m map[string]any, key string) []map[string]any {
	list, _ := m[key].([]any)
	var maps []map[string]any
	for _, item := range list {
		if one, ok := item.(map[string]any); ok {
			maps = append(maps, one)
		}
	}
	return maps
}

// textIn is the text under a key, or "".
func textIn(m map[string]any, key string) string {
	text, _ := m[key].(string)
	return text
}
