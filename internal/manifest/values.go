package manifest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Values are those of Secrets, as pods see them: by the Secret's name and the key in it.
type Values map[string]map[string][]byte

// IsSecret tells whether an object is a Secret.
func (o Object) IsSecret() bool { return o.is("", "Secret") }

// ValuesOf are the values of all Secrets among the objects. One under "data" that is no
// base64 is fault.Invalid, as it is for the API server.
func ValuesOf(objects []Object) (Values, error) {
	all := Values{}
	for _, o := range objects {
		if !o.IsSecret() {
			continue
		}
		content, err := o.content()
		if err != nil {
			return nil, err
		}
		for key, value := range mapIn(content, "data") {
			text, isText := value.(string)
			if _, err := base64.StdEncoding.DecodeString(text); !isText || err != nil {
				return nil, fault.Errorf(fault.Invalid, "the value of %s in the data of %s is no base64", key, o).
					WithHint("put it under stringData, where values stand as they are")
			}
		}
		if values := secretValues(content); len(values) > 0 {
			all[o.Name] = values
		}
	}
	return all, nil
}

// Restore returns the objects with the values of Secrets in the place of what Redact has
// put there with the key. A value that is missing, or is not the one that was redacted, is
// fault.Invalid, and so is one that was not redacted.
func Restore(objects []Object, values Values, key []byte) ([]Object, error) {
	out := slices.Clone(objects)
	for i, o := range objects {
		if !o.IsSecret() {
			continue
		}
		content, err := o.content()
		if err != nil {
			return nil, err
		}
		data := mapIn(content, "data")
		for _, name := range slices.Sorted(maps.Keys(data)) {
			value, there := values[o.Name][name]
			told, _ := data[name].(string)
			if !there || !hmac.Equal([]byte(told), []byte(redactedValue(key, o.Name, name, value))) {
				return nil, fault.Errorf(fault.Invalid, "the value of %s that came for %s is not the one that the plan was made with", name, o).
					WithHint("somebody has changed the plan or the values; ship again")
			}
			data[name] = base64.StdEncoding.EncodeToString(value)
		}
		if out[i], err = o.with(content); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// HasRedacted tells whether there are values among the objects, each as JSON or a list of
// them, that Redact has taken out. One that it has not is fault.Invalid.
func HasRedacted(objects []json.RawMessage) (bool, error) {
	has := false
	for _, raw := range objects {
		inner, err := objectsOf("the manifests", raw)
		if err != nil {
			return false, err
		}
		for _, o := range inner {
			if !o.IsSecret() {
				continue
			}
			content, err := o.content()
			if err != nil {
				return false, err
			}
			shown := len(mapIn(content, "stringData")) > 0 || o.Annotation(lastApplied) != ""
			for _, value := range mapIn(content, "data") {
				text, _ := value.(string)
				shown = shown || !redacted.MatchString(text)
				has = true
			}
			if shown {
				return false, fault.Errorf(fault.Invalid, "%s has values that everybody could read in the plan", o).
					WithHint("`fairway ship` seals them for the worker, or leaves the Secret out")
			}
		}
	}
	return has, nil
}

// redactedValue is what stands in the place of a value.
func redactedValue(key []byte, secret, name string, value []byte) string {
	mac := hmac.New(sha256.New, key)
	// The separator is in no name.
	mac.Write([]byte(secret + "\x00" + name + "\x00"))
	mac.Write(value)
	return RedactedPrefix + hex.EncodeToString(mac.Sum(nil))
}
