package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

var key = []byte("0123456789abcdef")

// shown is the data of the one object after redacting.
func shown(t *testing.T, text string, key []byte) map[string]string {
	t.Helper()
	objects, err := manifest.Redact(read(t, text), key)
	if err != nil {
		t.Fatal(err)
	}
	var secret struct {
		Data, StringData map[string]string
	}
	if err := json.Unmarshal(objects[0].Raw, &secret); err != nil {
		t.Fatal(err)
	}
	if secret.StringData != nil {
		t.Errorf("stringData is still there: %s", objects[0].Raw)
	}
	for name, value := range secret.Data {
		if !strings.HasPrefix(value, manifest.RedactedPrefix) {
			t.Errorf("%s is not redacted: %s", name, value)
		}
	}
	return secret.Data
}

func TestNoValueOfASecretIsLeft(t *testing.T) {
	text := `apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations:
    team: shop
    kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"password":"hunter2"}}'
type: Opaque
data: {user: aHVudGVyMg==, broken: hunter2, number: 7}
stringData: {password: hunter2}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: db}
data: {user: anna}
---
apiVersion: v1
kind: SecretList
items:
- metadata: {name: inner}
  stringData: {a: hunter2}
`
	before := read(t, text)
	after, err := manifest.Redact(before, key)
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(after)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "aHVudGVyMg", `"number":7`} {
		if strings.Contains(string(all), secret) {
			t.Errorf("%s is still there: %s", secret, all)
		}
	}
	if !strings.Contains(string(all), `"team":"shop"`) || !strings.Contains(string(all), `"type":"Opaque"`) {
		t.Errorf("more than values is gone: %s", all)
	}
	if diff := cmp.Diff(read(t, text), before); diff != "" {
		t.Errorf("the objects given were changed: %s", diff)
	}
	if diff := cmp.Diff(before[1], after[1]); diff != "" {
		t.Errorf("the config map: %s", diff)
	}
	again, err := manifest.Redact(after, key)
	if diff := cmp.Diff(after, again); diff != "" || err != nil {
		t.Errorf("redacted twice: %s %v", diff, err)
	}
}

func TestAChangedValueShowsAndNothingElseDoes(t *testing.T) {
	secret := func(fields string) string {
		return "{apiVersion: v1, kind: Secret, metadata: {name: db}, " + fields + "}"
	}
	was := shown(t, secret("data: {a: aHVudGVyMg==, b: aHVudGVyMg==}"), key)
	if was["a"] == was["b"] {
		t.Error("equal values of two keys look equal")
	}
	if diff := cmp.Diff(was, shown(t, secret("stringData: {a: hunter2, b: hunter2}"), key)); diff != "" {
		t.Errorf("written in another way: %s", diff)
	}
	changed := shown(t, secret("stringData: {a: hunter3, b: hunter2}"), key)
	if changed["a"] == was["a"] || changed["b"] != was["b"] {
		t.Errorf("was %v, is %v", was, changed)
	}
	if other := shown(t, secret("stringData: {a: hunter2}"), []byte("another key of 16")); other["a"] == was["a"] {
		t.Error("the key does not matter")
	}
	// What only looks redacted is a value like any other.
	forged := manifest.RedactedPrefix + strings.Repeat("0", 64)
	if got := shown(t, secret("stringData: {a: '"+forged+"'}"), key); got["a"] == forged {
		t.Error("a value hid behind the prefix")
	}
}

func TestAShortKeyIsRefused(t *testing.T) {
	if _, err := manifest.Redact(nil, key[:15]); fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
}
