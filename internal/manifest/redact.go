package manifest

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// RedactedPrefix begins what stands in the place of a Secret's value.
const RedactedPrefix = "hmac-sha256:"

// lastApplied is where `kubectl apply` keeps the whole object, values and all.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

var redacted = regexp.MustCompile("^" + RedactedPrefix + "[0-9a-f]{64}$")

// Redact returns the objects with every value of every Secret replaced by
// RedactedPrefix and the HMAC-SHA-256 of it in hex, all under "data". Who does not have
// the key, of at least 16 bytes, learns only whether a value has changed: equal values
// of different Secrets or keys look different.
//
// What is redacted already stays as it is. The result is no base64, so the API server
// refuses it should it ever be applied. Values that stand elsewhere, in a config map or
// an environment variable, are not known to be secret.
func Redact(objects []Object, key []byte) ([]Object, error) {
	if len(key) < 16 {
		return nil, fault.Errorf(fault.Internal, "redact secrets: the key has only %d bytes", len(key))
	}
	out := slices.Clone(objects)
	for i, o := range objects {
		if !o.IsSecret() {
			continue
		}
		content, err := o.content()
		if err != nil {
			return nil, err
		}
		data := map[string]any{}
		for name, value := range secretValues(content) {
			if old, ok := mapIn(content, "data")[name].(string); ok && redacted.MatchString(old) && mapIn(content, "stringData")[name] == nil {
				data[name] = old
				continue
			}
			data[name] = redactedValue(key, o.Name, name, value)
		}
		delete(content, "stringData")
		delete(content, "data")
		if len(data) > 0 {
			content["data"] = data
		}
		if annotations := mapIn(mapIn(content, "metadata"), "annotations"); annotations != nil {
			delete(annotations, lastApplied)
		}
		if out[i], err = o.with(content); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// secretValues are the values of a Secret as a pod would see them. One that is no
// base64, or no text at all, is taken as it is written.
func secretValues(content map[string]any) map[string][]byte {
	values := map[string][]byte{}
	for name, value := range mapIn(content, "data") {
		values[name] = plain(value)
		if text, ok := value.(string); ok {
			if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
				values[name] = decoded
			}
		}
	}
	for name, value := range mapIn(content, "stringData") {
		values[name] = plain(value)
	}
	return values
}

func plain(value any) []byte {
	if text, ok := value.(string); ok {
		return []byte(text)
	}
	// What came from JSON can be written as JSON.
	raw, _ := json.Marshal(value)
	return raw
}
