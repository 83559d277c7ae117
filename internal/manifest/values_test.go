package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

const withSecrets = `
apiVersion: v1
kind: Secret
metadata: {name: db, labels: {app: shop}}
type: Opaque
data: {user: YW5uYQ==, empty: ""}
stringData: {password: hunter2, binary: "\u00ff"}
---
{apiVersion: v1, kind: Secret, metadata: {name: none}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: db}, data: {password: as it is}}
`

// split takes the values out of objects.
func split(t *testing.T, text string) ([]manifest.Object, manifest.Values) {
	t.Helper()
	objects := read(t, text)
	values, err := manifest.ValuesOf(objects)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := manifest.Redact(objects, key)
	if err != nil {
		t.Fatal(err)
	}
	return kept, values
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	kept, values := split(t, withSecrets)
	raw, err := json.Marshal(values) // as they travel
	if err != nil {
		t.Fatal(err)
	}
	values = nil
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	restored, err := manifest.Restore(kept, values, key)
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, strings.Replace(withSecrets, `data: {user: YW5uYQ==, empty: ""}
stringData: {password: hunter2, binary: "\u00ff"}`, `data: {user: YW5uYQ==, empty: "", password: aHVudGVyMg==, binary: w78=}`, 1))
	for i := range want {
		if diff := cmp.Diff(decoded(t, want[i]), decoded(t, restored[i])); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOtherValuesThanThoseOfThePlanAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		values manifest.Values
		key    []byte
	}{
		"another value":    {manifest.Values{"db": {"user": []byte("anna"), "empty": nil, "binary": []byte("\u00ff"), "password": []byte("swordfish")}}, key},
		"a missing one":    {manifest.Values{"db": {"user": []byte("anna"), "empty": nil, "binary": []byte("\u00ff")}}, key},
		"no values at all": {nil, key},
		"another key":      {manifest.Values{"db": {"user": []byte("anna"), "empty": nil, "binary": []byte("\u00ff"), "password": []byte("hunter2")}}, []byte("fedcba9876543210")},
	} {
		kept, _ := split(t, withSecrets)
		_, err := manifest.Restore(kept, c.values, c.key)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "Secret db") || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "swordfish") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: the message shows a value: %v", name, err)
		}
	}
}

func TestAValueThatIsNoBase64IsRefusedWithoutShowingIt(t *testing.T) {
	for _, value := range []string{"hunter2", "7"} {
		_, err := manifest.ValuesOf(read(t, "{apiVersion: v1, kind: Secret, metadata: {name: db}, data: {password: "+value+"}}"))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "password in the data of Secret db") || strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestWhatHasValuesIsNotTakenForRedacted(t *testing.T) {
	raws := func(objects []manifest.Object) []json.RawMessage {
		var all []json.RawMessage
		for _, o := range objects {
			all = append(all, o.Raw)
		}
		return all
	}
	kept, _ := split(t, withSecrets)
	if has, err := manifest.HasRedacted(raws(kept)); !has || err != nil {
		t.Errorf("what is redacted is told to be %t: %v", has, err)
	}
	if has, err := manifest.HasRedacted(raws(kept)[1:]); has || err != nil {
		t.Errorf("objects without values are told to be redacted: %t, %v", has, err)
	}
	for _, text := range []string{
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "aHVudGVyMg=="}}`,
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"a": "hunter2"}}`,
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}`,
		`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "aHVudGVyMg=="}}]}`,
		`{"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "db"}, "data": {"a": "aHVudGVyMg=="}}]}`,
	} {
		_, err := manifest.HasRedacted([]json.RawMessage{json.RawMessage(text)})
		if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
