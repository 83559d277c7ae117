package manifest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

func read(t *testing.T, text string) []manifest.Object {
	t.Helper()
	objects, err := manifest.Read("app.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestTheOrderDoesNotDependOnTheFiles(t *testing.T) {
	objects := read(t, `{apiVersion: v1, kind: Service, metadata: {name: b}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: z}}
---
{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: b}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
`)
	first, err := manifest.Settle(objects, "")
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(objects)
	second, err := manifest.Settle(objects, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("in another order: %s", diff)
	}
	var kinds []string
	for _, o := range first {
		kinds = append(kinds, o.APIVersion+" "+o.String())
	}
	want := []string{"v1 ConfigMap b", "v1 Service b", "serving.knative.dev/v1 Service b", "v1 Service z/a"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestAnObjectThatIsThereTwiceIsToldWithBothPlaces(t *testing.T) {
	for name, second := range map[string]string{
		"the same":                     "{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}}",
		"in another version":           "{apiVersion: apps/v1beta2, kind: Deployment, metadata: {name: shop}}",
		"with the release's namespace": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: team}}",
	} {
		objects := read(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}}\n---\n"+second)
		_, err := manifest.Settle(objects, "team")
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "in app.yaml:1 and in app.yaml:3") {
			t.Errorf("%s: %v", name, err)
		}
	}
	others := read(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: other}}
`)
	if _, err := manifest.Settle(others, "team"); err != nil {
		t.Errorf("in two namespaces: %v", err)
	}
}

func TestMoreThanAReleaseKeepsIsRefused(t *testing.T) {
	head := "{apiVersion: v1, kind: ConfigMap, metadata: {name: small}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: big}, data: {a: "
	body := func(n int) []manifest.Object { return read(t, head+strings.Repeat("x", n)+"}}") }
	spare := manifest.MaxSize
	for _, o := range body(0) {
		spare -= len(o.Raw)
	}
	// Nothing is written as null, and a text with two quotes.
	spare += len("null") - len(`""`)
	if _, err := manifest.Settle(body(spare), ""); err != nil {
		t.Errorf("the last byte: %v", err)
	}
	_, err := manifest.Settle(body(spare+1), "")
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "at most 1024 KiB") || !strings.Contains(fault.HintOf(err), "ConfigMap big") {
		t.Errorf("one byte more: %v, %s", err, fault.HintOf(err))
	}
}
