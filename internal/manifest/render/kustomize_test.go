package render_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest/render"
)

const kustomizeFolder = `
-- deploy/base/kustomization.yaml --
resources: [app.yaml]
configMapGenerator:
- name: shop
  files: [settings.ini, renamed=other.ini]
  literals: [mode=fast]
  options: {annotations: {path: not/a/file}}
-- deploy/base/settings.ini --
a = 1
-- deploy/base/other.ini --
b = 2
-- deploy/base/app.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: shop
        image: ghcr.io/acme/shop:v1
        envFrom: [{configMapRef: {name: shop}}]
-- deploy/production/kustomization.yml --
namespace: shop
resources: [../base]
patches:
- path: replicas.yaml
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/paused, value: false}
-- deploy/production/replicas.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec: {replicas: 7}
`

func TestAnOverlayIsBuilt(t *testing.T) {
	base := lay(t, kustomizeFolder)
	got := rendered(t, render.Source{Base: base, Path: "deploy/production"})
	if got.Form != render.Kustomize || len(got.Objects) != 2 {
		t.Fatalf("%s %v", got.Form, names(got))
	}
	config := got.Objects[0].Name
	if !regexp.MustCompile(`^shop-[0-9a-z]{10}$`).MatchString(config) || got.Objects[1].String() != "Deployment shop/shop" {
		t.Errorf("%v", names(got))
	}
	for _, want := range []string{`"replicas":7`, `"paused":false`, `"configMapRef":{"name":"` + config + `"}`, `"settings.ini":"a = 1\n"`, `"renamed":"b = 2\n"`} {
		if !strings.Contains(whole(got), want) {
			t.Errorf("%s is not in %s", want, whole(got))
		}
	}
	file := rendered(t, render.Source{Base: base, Path: "deploy/production/kustomization.yml"})
	if diff := cmp.Diff(got, file); diff != "" {
		t.Errorf("by its file: %s", diff)
	}
}

func TestBadKustomizationsAreRefusedWithTheirLine(t *testing.T) {
	one := "-- deploy/k.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: shop}}\n-- outside.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: outside}}\n-- empty/a.txt --\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a missing file":        {"resources:\n- k.yaml\n- nowhere.yaml\n", []string{"deploy/kustomization.yaml:3: nowhere.yaml is not there", "relative to"}},
		"a file outside":        {"resources:\n- ../outside.yaml\n", []string{"kustomization.yaml:2: ../outside.yaml is outside of the kustomization's folder", "copy the file"}},
		"a patch outside":       {"resources: [k.yaml]\npatches:\n- path: ../outside.yaml\n", []string{"kustomization.yaml:3: ../outside.yaml is outside"}},
		"a generator's file":    {"resources: [k.yaml]\nconfigMapGenerator:\n- name: a\n  files:\n  - x=lost.ini\n", []string{"kustomization.yaml:5: lost.ini is not there"}},
		"an environment file":   {"configMapGenerator:\n- name: a\n  envs: [lost.env]\n", []string{"kustomization.yaml:3: lost.env is not there"}},
		"a URL":                 {"resources:\n- https://example.com/app.yaml\n", []string{"kustomization.yaml:2: https://example.com/app.yaml would have to be fetched", "commit a copy"}},
		"a repository":          {"resources: [\"github.com/acme/base//deploy?ref=v1\"]\n", []string{"kustomization.yaml:1:", "would have to be fetched"}},
		"a fetched patch":       {"resources: [k.yaml]\npatches:\n- path: http://127.0.0.1:1/x\n", []string{"kustomization.yaml:3: http://127.0.0.1:1/x would have to be fetched"}},
		"a fetched transformer": {"resources: [k.yaml]\ntransformers: [t.yaml]\n-- deploy/t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: http://127.0.0.1:1/x\n", []string{"t.yaml:4: http://127.0.0.1:1/x would have to be fetched"}},
		"a chart":               {"helmCharts:\n- name: a\n", []string{"kustomization.yaml:1: helmCharts would fetch a chart"}},
		"a folder without one":  {"resources:\n- ../empty\n", []string{"kustomization.yaml:2: the folder ../empty has no kustomization.yaml"}},
		"an unknown key":        {"resource: [k.yaml]\n", []string{"the kustomization", "does not build", `"resource"`, "kubectl kustomize"}},
		"no YAML":               {"resources: [\n", []string{"kustomization.yaml: this is not YAML: line"}},
		"a loop":                {"resources: [../deploy]\n", []string{"does not build", "cycle"}},
		"a plugin":              {"resources: [k.yaml]\ntransformers: [t.yaml]\n-- deploy/t.yaml --\napiVersion: acme.example/v1\nkind: Evil\nmetadata: {name: t}\n", []string{"does not build"}},
		"nothing":               {"namespace: a\n", []string{"deploy"}},
		"an alias in itself":    {"patches: &a [*a]\n", []string{"deploy"}},
		"a broken resource":     {"resources: [b.yaml]\n-- deploy/b.yaml --\na: [\n", []string{"does not build", "b.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			base := lay(t, one+"-- deploy/kustomization.yaml --\n"+c.text)
			refused(t, render.Source{Base: base, Path: "deploy"}, fault.Invalid, c.want...)
		})
	}
}
