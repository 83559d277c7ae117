package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

// names are what the objects are and where they were written.
func names(objects []manifest.Object) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.String()+" "+o.Origin)
	}
	return all
}

func TestDocumentsBecomeObjectsInTheirOrder(t *testing.T) {
	text := `%YAML 1.2
# nothing yet
---
# the service
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: team}
--- # after a remark
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  notes: |
    --- not a marker, since it is indented
...
---
---
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}, "data": {"on": "yes"}}
`
	for _, ending := range []string{"\n", "\r\n"} {
		objects, err := manifest.Read("app.yaml", []byte(strings.ReplaceAll(text, "\n", ending)))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Service team/shop app.yaml:5", "Deployment shop app.yaml:9", "ConfigMap json app.yaml:19"}
		if diff := cmp.Diff(want, names(objects)); diff != "" {
			t.Errorf("endings %q: %s", ending, diff)
		}
		if objects[1].APIVersion != "apps/v1" || objects[1].Group() != "apps" || objects[0].Group() != "" {
			t.Errorf("groups: %+v", objects)
		}
	}
}

func TestValuesAreWhatKubernetesMakesOfThem(t *testing.T) {
	objects, err := manifest.Read("a.yaml", []byte("apiVersion: v1\nkind: X\nmetadata: {name: x}\nz: 1000000000000\na: on\nb: 007\nc: 1.50\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":true,"apiVersion":"v1","b":7,"c":1.5,"kind":"X","metadata":{"name":"x"},"z":1000000000000}`
	if got := string(objects[0].Raw); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestListsAreUnpacked(t *testing.T) {
	text := `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: one}
- apiVersion: v1
  kind: ConfigMapList
  items:
  - metadata: {name: two}
---
apiVersion: v1
kind: List
items: []
`
	objects, err := manifest.Read("list.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Secret one list.yaml:1 (item 1 of the list)",
		"ConfigMap two list.yaml:1 (item 2 of the list) (item 1 of the list)",
	}
	if diff := cmp.Diff(want, names(objects)); diff != "" {
		t.Error(diff)
	}
	var second struct{ APIVersion, Kind string }
	if err := json.Unmarshal(objects[1].Raw, &second); err != nil || second.Kind != "ConfigMap" || second.APIVersion != "v1" {
		t.Errorf("the item does not say what it is: %s %v", objects[1].Raw, err)
	}
}

func TestWhatIsNoObjectIsToldWithItsLine(t *testing.T) {
	good := "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"
	for name, c := range map[string]struct{ text, want, hint string }{
		"a tab":            {good + "---\nkind: X\n\tbad: 1\n", "app.yaml:6: this is not YAML: found a tab character", "indentation"},
		"a loose end":      {good + "---\n\n\na: [1\nb: 2\n", "app.yaml:7: this is not YAML", "indentation"},
		"a key twice":      {good + "kind: Service\n", `app.yaml:4: this is not YAML: key "kind" already set in map`, "indentation"},
		"no kind":          {good + "---\nreplicas: 3\n", "app.yaml:5: this object has no kind", "manifests"},
		"no apiVersion":    {"\n\nkind: Service\nmetadata: {name: a}\n", "app.yaml:3: this Service has no apiVersion", "kubectl explain service"},
		"no name":          {"apiVersion: v1\nkind: Service\n", "app.yaml:1: this Service has no metadata.name", "text"},
		"a number as name": {"apiVersion: v1\nkind: Service\nmetadata: {name: 7}\n", "app.yaml:1: this Service has no metadata.name", "quote"},
		"a made-up name":   {"apiVersion: v1\nkind: Job\nmetadata: {generateName: a-}\n", "generateName and no name", "found again"},
		"a text":           {"just words\n", "app.yaml:1: this is not a Kubernetes object", "apiVersion"},
		"a list of texts":  {"apiVersion: v1\nkind: List\nitems: [a]\n", "app.yaml:1 (item 1 of the list): this is not a Kubernetes object", "apiVersion"},
		"a bomb":           {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "excessive aliasing", ""},
		"a flood":          {strings.Repeat("#", manifest.MaxText+1), "app.yaml is longer than 8 MiB", "own objects"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Read("app.yaml", []byte(c.text))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("got: %v\nhint: %s", err, fault.HintOf(err))
			}
		})
	}
}

func TestWhatATemplateMadeMayHaveAKeyTwice(t *testing.T) {
	objects, err := manifest.ReadLoosely("a.yaml", []byte("apiVersion: v1\nkind: X\nmetadata: {name: a}\nz: 1\nz: 2\n"))
	if err != nil || !strings.Contains(string(objects[0].Raw), `"z":2`) {
		t.Errorf("%v %v", objects, err)
	}
}

// FuzzRead: whatever the text, there is an error or there are objects that can be told
// apart, settled and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n---\n...\n", "{}", "- a\n", "a: &a [*a]\n", "? {a: b}\n: c\n",
		"apiVersion: v1\nkind: List\nitems: [{kind: null}, 3, null]\n", "kind: [List]\nitems: []\n", "%YAML 1.1\n---\n!!binary x\n", "\ufeff---\r\n",
		"apiVersion: v1\nkind: AList\nitems:\n- metadata: {name: a}\n", "a: 1e999\n", "<<: {a: 1}\n", "'", "\x00", "a: !!float .nan\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func(string, []byte) ([]manifest.Object, error){manifest.Read, manifest.ReadLoosely} {
			objects, err := read("fuzz.yaml", text)
			if err != nil {
				if fault.CodeOf(err) != fault.Invalid {
					t.Errorf("%q: a %s fault: %v", text, fault.CodeOf(err), err)
				}
				continue
			}
			for _, o := range objects {
				if o.Kind == "" || o.APIVersion == "" || o.Name == "" || o.Origin == "" {
					t.Errorf("%q: not complete: %+v", text, o)
				}
				again, err := manifest.Read("again.json", o.Raw)
				if err != nil || len(again) != 1 || again[0].String() != o.String() {
					t.Errorf("%q: read again: %v %v", text, again, err)
				}
			}
			if _, err := manifest.Redact(objects, make([]byte, 16)); err != nil {
				t.Errorf("%q: redact: %v", text, err)
			}
			if _, err := manifest.Settle(objects, ""); err != nil && fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%q: settle: %v", text, err)
			}
			for _, o := range objects {
				if _, err := manifest.RenameReferences(o, map[manifest.Reference]string{{Kind: "ConfigMap"}: "x"}); err != nil {
					t.Errorf("%q: rename: %v", text, err)
				}
			}
			_, err = manifest.SetImage(objects, manifest.Workload{}, "a@sha256:"+strings.Repeat("0", 64))
			if err != nil && fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%q: set image: %v", text, err)
			}
		}
	})
}
