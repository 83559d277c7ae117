package manifest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
)

func contentName(t *testing.T, text string) string {
	t.Helper()
	name, err := manifest.ContentName(read(t, text)[0])
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestANameChangesWithTheContentAndWithNothingElse(t *testing.T) {
	config := func(rest string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop" + rest + "}"
	}
	secret := func(rest string) string { return "{apiVersion: v1, kind: Secret, metadata: {name: shop}" + rest + "}" }
	was := contentName(t, config("}, data: {a: x}"))
	if !regexp.MustCompile(`^shop-[0-9a-f]{10}$`).MatchString(was) {
		t.Errorf("named %s", was)
	}
	same := map[string]string{
		config(", labels: {a: b}, namespace: team}, data: {a: x}"): was,
		secret(", data: {a: eA==}"):                                contentName(t, secret(", stringData: {a: x}, type: Opaque")),
	}
	for text, want := range same {
		if got := contentName(t, text); got != want {
			t.Errorf("%s: %s instead of %s", text, got, want)
		}
	}
	seen := map[string]string{}
	for _, text := range []string{
		config("}, data: {a: x}"), config("}, data: {a: y}"), config("}, data: {b: x}"), config("}, binaryData: {a: x}"), config("}"),
		secret(", data: {a: eA==}"), secret(", data: {a: eA==}, type: kubernetes.io/tls"),
	} {
		name := contentName(t, text)
		if before, ok := seen[name]; ok {
			t.Errorf("%s and %s are both %s", before, text, name)
		}
		seen[name] = text
	}
}

func TestALongNameIsShortened(t *testing.T) {
	long := strings.Repeat("a", 241) + "." + strings.Repeat("b", 11)
	name := contentName(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+long+"}}")
	if len(name) > 253 || !strings.HasPrefix(name, strings.Repeat("a", 241)+"-") {
		t.Errorf("%d characters: %s", len(name), name)
	}
}

func TestOnlyConfigIsNamedByItsContent(t *testing.T) {
	_, err := manifest.ContentName(read(t, "{apiVersion: v1, kind: Service, metadata: {name: shop}}")[0])
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "Service shop") {
		t.Errorf("got %v", err)
	}
}

const referring = `
  imagePullSecrets: [{name: s}]
  initContainers:
  - {name: i, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: a}}}]}
  containers:
  - name: c
    envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}, {configMapRef: {name: other}}]
    env: [{name: s, value: c}, {name: B, valueFrom: {configMapKeyRef: {name: c, key: c}}}, {name: C, valueFrom: {fieldRef: {fieldPath: s}}}]
  volumes:
  - {name: c, configMap: {name: c}}
  - {name: s, secret: {secretName: s}}
  - {name: p, projected: {sources: [{configMap: {name: c}}, {secret: {name: s}}, {serviceAccountToken: {path: s}}]}}
  - {name: e, emptyDir: {}}
  - {name: v, csi: {driver: s, nodePublishSecretRef: {name: s}}}
`

func TestReferencesOfPodsAreRenamed(t *testing.T) {
	want := strings.NewReplacer("imagePullSecrets: [{name: s}]", "imagePullSecrets: [{name: s-2}]", "nodePublishSecretRef: {name: s}", "nodePublishSecretRef: {name: s-2}",
		"secretKeyRef: {name: s", "secretKeyRef: {name: s-2", "configMapRef: {name: c}", "configMapRef: {name: c-2}",
		"secretRef: {name: s", "secretRef: {name: s-2", "configMapKeyRef: {name: c", "configMapKeyRef: {name: c-2",
		"configMap: {name: c", "configMap: {name: c-2", "secretName: s", "secretName: s-2", "secret: {name: s", "secret: {name: s-2",
	).Replace(referring)
	names := map[manifest.Reference]string{{Kind: "ConfigMap", Name: "c"}: "c-2", {Kind: "Secret", Name: "s"}: "s-2", {Kind: "Secret", Name: "c"}: "wrong"}
	indent := func(text string, by int) string { return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", by)) }
	for kind, wrap := range map[string]func(string) string{
		"Deployment": func(spec string) string { return "spec:\n  template:\n    spec:" + indent(spec, 4) },
		"Pod":        func(spec string) string { return "spec:" + spec },
		"CronJob": func(spec string) string {
			return "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:" + indent(spec, 8)
		},
	} {
		head := "apiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: s}\n"
		before := read(t, head+wrap(referring))[0]
		raw := string(before.Raw)
		after, err := manifest.RenameReferences(before, names)
		if err != nil {
			t.Fatal(err)
		}
		if string(before.Raw) != raw {
			t.Errorf("%s: the object given was changed", kind)
		}
		if diff := cmp.Diff(decoded(t, read(t, head+wrap(want))[0]), decoded(t, after)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

func TestAServiceAccountPullsWithTheSecretOfTheNewName(t *testing.T) {
	account := read(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: s}, imagePullSecrets: [{name: s}, {name: other}]}")[0]
	got, err := manifest.RenameReferences(account, map[manifest.Reference]string{{Kind: "Secret", Name: "s"}: "s-2"})
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: s}, imagePullSecrets: [{name: s-2}, {name: other}]}")[0]
	if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
		t.Error(diff)
	}
}

func TestAnObjectWithoutPodsStaysAsItIs(t *testing.T) {
	service := read(t, "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {a: 1}}")[0]
	got, err := manifest.RenameReferences(service, map[manifest.Reference]string{{Kind: "Secret", Name: "s"}: "x"})
	if diff := cmp.Diff(service, got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

func decoded(t *testing.T, o manifest.Object) any {
	t.Helper()
	var content any
	if err := json.Unmarshal(o.Raw, &content); err != nil {
		t.Fatal(err)
	}
	return content
}
