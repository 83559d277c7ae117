package release

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestValuesOfSecretsAreNotTakenUnsealed(t *testing.T) {
	const digest = "hmac-sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		object, sealed, says string
	}{
		"a value":                   {`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "aHVudGVyMg=="}}`, "box", "Secret db has values that everybody could read"},
		"a digest without a value":  {`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "` + digest + `"}}`, "", "whose values did not come"},
		"a digest and a sealed one": {`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"a": "` + digest + `"}}`, "box", ""},
		"no Secret":                 {`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "db"}, "data": {"a": "b"}}`, "", ""},
	} {
		ask := Request{Manifests: map[string][]json.RawMessage{"production": {json.RawMessage(c.object)}}, Sealed: map[string]string{"production": c.sealed}}
		err := hidesValues(ask.Manifests, ask.Sealed)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" || strings.Contains(err.Error(), "aHVudGVyMg") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
