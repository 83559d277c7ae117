package manifest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// maxName is how long the names of config maps and Secrets may be.
const maxName = 253

// ContentName is a name for a ConfigMap or Secret that changes with what is in it: its
// own, shortened if need be, a dash and ten hex digits of a digest of its data and type.
// Labels and annotations do not count, nor whether a Secret's value is written under
// data or stringData. Another kind is fault.Invalid.
//
// Of a Secret it is best taken after Redact: a bare digest lets whoever sees the name
// try guesses at a weak value.
func ContentName(o Object) (string, error) {
	if !o.is("", "ConfigMap") && !o.is("", "Secret") {
		return "", fault.Errorf(fault.Invalid, "name %s by its content: it is neither a ConfigMap nor a Secret", o)
	}
	content, err := o.content()
	if err != nil {
		return "", err
	}
	counted := map[string]any{"kind": o.Kind}
	if o.Kind == "Secret" {
		counted["type"] = cmp.Or(textIn(content, "type"), "Opaque")
		counted["data"] = secretValues(content)
	} else {
		counted["data"] = mapIn(content, "data")
		counted["binaryData"] = mapIn(content, "binaryData")
	}
	raw, err := json.Marshal(counted)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "name %s by its content: %w", o, err)
	}
	sum := sha256.Sum256(raw)
	suffix := "-" + hex.EncodeToString(sum[:5])
	name := o.Name
	if len(name)+len(suffix) > maxName {
		name = strings.TrimRight(name[:maxName-len(suffix)], "-.")
	}
	return name + suffix, nil
}

// Reference is a ConfigMap or a Secret as a pod refers to it.
type Reference struct {
	// Kind is "ConfigMap" or "Secret".
	Kind string
	Name string
}

// RenameReferences returns the object with what its pods refer to under new names:
// environments (env, envFrom) of all containers and volumes (configMap, secret,
// projected, csi), and the Secrets to pull images with, also those of a ServiceAccount.
// References that are not in names stay. An object that describes no pods is returned as
// it is.
func RenameReferences(o Object, names map[Reference]string) (Object, error) {
	content, err := o.content()
	if err != nil {
		return Object{}, err
	}
	spec := podSpec(o.Kind, content)
	if o.is("", "ServiceAccount") {
		spec = content // it has them where pods have
	}
	if spec == nil {
		return o, nil
	}
	rename := func(source map[string]any, key, kind string) {
		if to, ok := names[Reference{kind, textIn(source, key)}]; ok && source != nil {
			source[key] = to
		}
	}
	for _, pull := range mapsIn(spec, "imagePullSecrets") {
		rename(pull, "name", "Secret")
	}
	containers := slices.Concat(mapsIn(spec, "containers"), mapsIn(spec, "initContainers"), mapsIn(spec, "ephemeralContainers"))
	for _, c := range containers {
		for _, from := range mapsIn(c, "envFrom") {
			rename(mapIn(from, "configMapRef"), "name", "ConfigMap")
			rename(mapIn(from, "secretRef"), "name", "Secret")
		}
		for _, variable := range mapsIn(c, "env") {
			from := mapIn(variable, "valueFrom")
			rename(mapIn(from, "configMapKeyRef"), "name", "ConfigMap")
			rename(mapIn(from, "secretKeyRef"), "name", "Secret")
		}
	}
	for _, volume := range mapsIn(spec, "volumes") {
		rename(mapIn(volume, "configMap"), "name", "ConfigMap")
		// Alone of all references this one is called secretName.
		rename(mapIn(volume, "secret"), "secretName", "Secret")
		rename(mapIn(mapIn(volume, "csi"), "nodePublishSecretRef"), "name", "Secret")
		for _, source := range mapsIn(mapIn(volume, "projected"), "sources") {
			rename(mapIn(source, "configMap"), "name", "ConfigMap")
			rename(mapIn(source, "secret"), "name", "Secret")
		}
	}
	return o.with(content)
}
