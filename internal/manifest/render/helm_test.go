package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest/render"
)

const chartFolder = `
-- deploy/chart/Chart.yaml --
apiVersion: v2
name: shop
version: 1.2.3
appVersion: "7"
kubeVersion: ">= 1.25-0"
dependencies:
- {name: cache, version: 0.1.0, condition: cache.enabled}
- {name: spare, version: 0.1.0, condition: spare.enabled}
-- deploy/chart/values.yaml --
replicas: 1
image: {repository: ghcr.io/acme/shop, tag: v1}
cache: {enabled: true, size: 1}
spare: {enabled: false}
hosts: []
-- deploy/chart/values.schema.json --
{"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}}}
-- deploy/chart/crds/widgets.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
-- deploy/chart/templates/_names.tpl --
{{- define "shop.name" }}{{ .Release.Name }}-web{{ end }}
-- deploy/chart/templates/NOTES.txt --
not: an object
--- {
-- deploy/chart/templates/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.name" . }}
  namespace: {{ .Release.Namespace }}
  labels: {version: {{ .Chart.AppVersion | quote }}, kube: {{ .Capabilities.KubeVersion.Version }}}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: shop
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
        args: {{ .Values.hosts | toJson }}
-- deploy/chart/templates/maybe.yaml --
{{ if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1" }}
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}}
{{ end }}
{{ with lookup "v1" "Secret" "shop" "shop" }}
{apiVersion: v1, kind: Secret, metadata: {name: looked-up}}
{{ end }}
-- deploy/chart/templates/hooks/migrate.yaml --
{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, annotations: {"helm.sh/hook": "pre-upgrade,pre-install"}}}
-- deploy/chart/templates/tests/ping.yaml --
{apiVersion: v1, kind: Pod, metadata: {name: ping, annotations: {"helm.sh/hook": test}}}
-- deploy/chart/charts/cache/Chart.yaml --
{apiVersion: v2, name: cache, version: 0.1.0}
-- deploy/chart/charts/cache/templates/cache.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: cache}, data: {size: {{ .Values.size | quote }}}}
-- deploy/chart/charts/spare/Chart.yaml --
{apiVersion: v2, name: spare, version: 0.1.0}
-- deploy/chart/charts/spare/templates/spare.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: spare}}
-- deploy/all.yaml --
replicas: 2
image: {tag: all}
-- deploy/production.yaml --
replicas: 3
`

func TestAChartIsRenderedWithItsValues(t *testing.T) {
	base := lay(t, chartFolder)
	source := render.Source{Base: base, Path: "deploy/chart", Name: "shop", Namespace: "team"}
	got := rendered(t, source)
	if diff := cmp.Diff([]string{"ConfigMap cache", "Deployment team/shop-web"}, names(got)); diff != "" || got.Form != render.Chart {
		t.Errorf("%s: %s", got.Form, diff)
	}
	wanted := []string{
		"Job migrate of shop/templates/hooks/migrate.yaml is a hook (pre-upgrade,pre-install), which is not run",
		"Pod ping of shop/templates/tests/ping.yaml is a hook (test), which is not run",
		"the custom resource definitions of shop/crds/widgets.yaml are not installed with a release",
	}
	if diff := cmp.Diff(wanted, got.LeftOut); diff != "" {
		t.Errorf("left out: %s", diff)
	}
	for _, want := range []string{`"replicas":1`, `"image":"ghcr.io/acme/shop:v1"`, `"version":"7"`, `"kube":"v1.34.0"`, `"size":"1"`} {
		if !strings.Contains(whole(got), want) {
			t.Errorf("%s is not in %s", want, whole(got))
		}
	}

	source.Values = []string{"deploy/all.yaml", "deploy/production.yaml"}
	source.Set = map[string]string{"cache.size": "5", "hosts[0]": `a,b\c`, "hosts[1]": "z"}
	source.KubernetesVersion, source.APIVersions = "1.31", []string{"gateway.networking.k8s.io/v1"}
	got = rendered(t, source)
	for _, want := range []string{`"replicas":3`, `"image":"ghcr.io/acme/shop:all"`, `"size":"5"`, `"args":["a,b\\c","z"]`, `"kube":"v1.31"`, `"HTTPRoute"`} {
		if !strings.Contains(whole(got), want) {
			t.Errorf("%s is not in %s", want, whole(got))
		}
	}
}

func TestAChartIsAlsoItsChartYAML(t *testing.T) {
	base := lay(t, chartFolder)
	got := rendered(t, render.Source{Path: filepath.Join(base, "deploy/chart/Chart.yaml"), Name: "a"})
	if len(got.Objects) != 2 {
		t.Errorf("%v", names(got))
	}
}

func TestBadChartsAreRefused(t *testing.T) {
	chart := "-- deploy/Chart.yaml --\n{apiVersion: v2, name: shop, version: 1.0.0}\n"
	service := "-- deploy/templates/s.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: shop}}\n"
	for name, c := range map[string]struct {
		files string
		set   map[string]string
		want  []string
	}{
		"a value that is required": {chart + "-- deploy/templates/a.yaml --\na: b\nc: {{ required \"an image is needed\" .Values.image }}\n", nil,
			[]string{"does not render", "shop/templates/a.yaml:2:6", "an image is needed", "helm template"}},
		"a template that is none": {chart + "-- deploy/templates/a.yaml --\n{{ if }}\n", nil, []string{"shop/templates/a.yaml:1", "missing value for if"}},
		"nothing to go through":   {chart + "-- deploy/templates/a.yaml --\na: {{ .Values.a.b.c }}\n", nil, []string{"shop/templates/a.yaml:1:13", "nil pointer"}},
		"an unknown function":     {chart + "-- deploy/templates/a.yaml --\n{{ frobnicate }}\n", nil, []string{"frobnicate", "a.yaml"}},
		"no YAML":                 {chart + "-- deploy/templates/a.yaml --\n{{/* a */}}\na: b\n c: d\n", nil, []string{"shop/templates/a.yaml (rendered):3: this is not YAML"}},
		"no kind":                 {chart + "-- deploy/templates/a.yaml --\na: b\n", nil, []string{"shop/templates/a.yaml (rendered):1: this object has no kind"}},
		"no dependencies":         {"-- deploy/Chart.yaml --\n{apiVersion: v2, name: shop, version: 1.0.0, dependencies: [{name: redis, version: 1.0.0, repository: \"https://example.com\"}]}\n" + service, nil, []string{"deploy/Chart.yaml names dependencies", "redis", "helm dependency build"}},
		"a broken dependency":     {chart + service + "-- deploy/charts/a/Chart.yaml --\n{name: a}\n-- deploy/charts/b.tgz --\nno archive\n", nil, []string{"cannot be read", "helm lint"}},
		"a chart without a name":  {"-- deploy/Chart.yaml --\n{apiVersion: v2, version: 1.0.0}\n", nil, []string{"cannot be read", "name"}},
		"a Chart.yaml of words":   {"-- deploy/Chart.yaml --\nwords\n", nil, []string{"cannot be read", "Chart.yaml"}},
		"a library":               {"-- deploy/Chart.yaml --\n{apiVersion: v2, name: shop, version: 1.0.0, type: library}\n", nil, []string{"is a library"}},
		"another Kubernetes":      {"-- deploy/Chart.yaml --\n{apiVersion: v2, name: shop, version: 1.0.0, kubeVersion: \"< 1.20\"}\n" + service, nil, []string{"asks for Kubernetes < 1.20", "v1.34.0"}},
		"broken values":           {chart + service + "-- deploy/values.yaml --\n- a\n", nil, []string{"cannot be read", "values.yaml"}},
		"nothing":                 {chart, nil, []string{"has no objects", "values"}},
		"only hooks": {chart + "-- deploy/templates/a.yaml --\n{apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {\"helm.sh/hook\": test}}}\n", nil,
			[]string{"has no objects", "Pod p of shop/templates/a.yaml is a hook"}},
		"twice":           {chart + service + "-- deploy/templates/t.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: shop}}\n", nil, []string{"twice", "s.yaml (rendered):1", "t.yaml (rendered):1"}},
		"a wrong value":   {chart + service + "-- deploy/values.schema.json --\n{\"properties\": {\"n\": {\"type\": \"integer\"}}}\n", map[string]string{"n": "x"}, []string{"does not render", "/n", "want integer"}},
		"no path":         {chart + service, map[string]string{"a=b": "c"}, []string{`"a=b" is no path`, "image.tag"}},
		"a wrong path":    {chart + service, map[string]string{"a[-1]": "c"}, []string{"a[-1] cannot be set"}},
		"chance":          {chart + "-- deploy/templates/a.yaml --\n{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {p: {{ randAlphaNum 20 }}}}\n", nil, []string{"shop/templates/a.yaml", "something else each time", "randAlphaNum"}},
		"the day":         {chart + "-- deploy/templates/a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {day: {{ now | date \"2006-01-02\" | quote }}}}\n", nil, []string{"something else each time"}},
		"without end":     {chart + "-- deploy/templates/a.yaml --\n{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}\n", nil, []string{"does not render", "nested"}},
		"a host's number": {chart + "-- deploy/templates/a.yaml --\n{{ getHostByName \"localhost\" }}\n", nil, []string{"has no objects"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, render.Source{Base: lay(t, c.files), Path: "deploy", Set: c.set, Name: "shop"}, fault.Invalid, c.want...)
		})
	}
}

func TestChanceDoesNoHarmWhereAValueIsGiven(t *testing.T) {
	base := lay(t, `
-- Chart.yaml --
{apiVersion: v2, name: shop, version: 1.0.0}
-- templates/a.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {p: {{ default (randAlphaNum 20) .Values.password }}}}
`)
	got := rendered(t, render.Source{Base: base, Set: map[string]string{"password": "given"}})
	if !strings.Contains(whole(got), `"p":"given"`) {
		t.Errorf("%s", whole(got))
	}
}

func TestASchemaThatLiesElsewhereIsNotFetched(t *testing.T) {
	base := lay(t, `
-- Chart.yaml --
{apiVersion: v2, name: shop, version: 1.0.0}
-- values.schema.json --
{"properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}}
-- templates/a.yaml --
{apiVersion: v1, kind: Service, metadata: {name: a}}
`)
	got := rendered(t, render.Source{Base: base})
	if len(got.Objects) != 1 || len(got.LeftOut) != 1 || !strings.Contains(got.LeftOut[0], "not checked") {
		t.Errorf("%v %v", names(got), got.LeftOut)
	}
}

func TestBadValuesFilesAreRefused(t *testing.T) {
	base := lay(t, chartFolder+"-- words.yaml --\njust words\n-- broken.yaml --\na: [\n")
	source := render.Source{Base: base, Path: "deploy/chart"}
	for file, c := range map[string]struct {
		code fault.Code
		want string
	}{
		"lost.yaml":   {fault.NotFound, "lost.yaml cannot be read: no such file"},
		"words.yaml":  {fault.Invalid, "words.yaml is not a map in YAML"},
		"broken.yaml": {fault.Invalid, "line 1"},
		"deploy":      {fault.Invalid, "is not a file"},
	} {
		source.Values = []string{file}
		refused(t, source, c.code, c.want)
	}
	source.Values, source.KubernetesVersion = nil, "new"
	refused(t, source, fault.Invalid, `"new" is no version of Kubernetes`)
}

func TestNoTemplateSeesTheEnvironment(t *testing.T) {
	t.Setenv("SEEN_BY_NOBODY", "hunter2")
	base := lay(t, "-- Chart.yaml --\n{apiVersion: v2, name: shop, version: 1.0.0}\n-- templates/a.yaml --\na: {{ env \"SEEN_BY_NOBODY\" }}\n")
	refused(t, render.Source{Base: base}, fault.Invalid, `function "env" not defined`)
	if err := os.WriteFile(filepath.Join(base, "templates/a.yaml"), []byte("a: {{ .Files.Get \"/etc/passwd\" }}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, render.Source{Base: base}, fault.Invalid, "has no kind")
}
