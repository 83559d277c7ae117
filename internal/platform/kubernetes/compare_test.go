package kubernetes_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/process"
)

// What comes with a release beside its Deployment.
const withRelease = `
apiVersion: v1
kind: ConfigMap
metadata: {name: hello, namespace: {{.Namespace}}}
data: {colour: blue}
---
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: {{.Namespace}}, labels: {app: hello}}
spec:
  selector: {app: hello}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: fairway, namespace: default}]
  hostnames: ["{{.Namespace}}.test"]
  rules:
  - backendRefs: [{name: hello, port: 80}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: hello, namespace: {{.Namespace}}}
`

// complete is a revision with all its manifests, changed by some replacements.
func (p *place) complete(id, image string, replace ...string) platform.Revision {
	p.t.Helper()
	text := strings.NewReplacer(replace...).Replace(deployment + "---" + beside + "---" + withRelease)
	var s kubernetes.Settings
	if err := json.Unmarshal(p.settings(false), &s); err != nil {
		p.t.Fatal(err)
	}
	for _, one := range strings.Split(p.fill(text), "\n---\n") {
		object, err := yaml.YAMLToJSON([]byte(one))
		if err != nil {
			p.t.Fatal(err)
		}
		s.Objects = append(s.Objects, object)
	}
	settings, err := json.Marshal(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return platform.Revision{ID: id, Version: id, Artifact: platform.Artifact{Ref: image}, Settings: settings}
}

// said are differences as tests compare them: OBJECT PATH: DESIRED, not LIVE.
func said(c platform.Comparison) []string {
	var all []string
	for _, d := range c.Differences {
		one := d.Object.Kind + " " + d.Object.Name + " " + string(d.What)
		if d.What == drift.Changed {
			desired, _ := json.Marshal(d.Desired)
			live, _ := json.Marshal(d.Live)
			one += " " + d.Path + ": " + string(desired) + ", not " + string(live)
		}
		all = append(all, one)
	}
	return all
}

func (b *bench) Compare(ctx context.Context, t platform.Target, r platform.Revision) (platform.Comparison, error) {
	return b.Platform.(platform.Comparer).Compare(ctx, t, r)
}

func (b *bench) Preview(ctx context.Context, t platform.Target, r platform.Revision) (platform.Comparison, error) {
	return b.Platform.(platform.Previewer).Preview(ctx, t, r)
}

func (b *bench) patch(path, body string) {
	b.t.Helper()
	if err := b.API.Do(b.t.Context(), http.MethodPatch, path, "application/merge-patch+json", []byte(body), nil); err != nil {
		b.t.Fatal(err)
	}
}

// drifts waits until exactly these differences are seen.
func (b *bench) drifts(when string, r platform.Revision, want ...string) platform.Comparison {
	b.t.Helper()
	var found platform.Comparison
	for deadline := time.Now().Add(15 * time.Second); ; {
		var err error
		if found, err = b.Compare(b.t.Context(), target, r); err != nil {
			b.t.Fatal(err)
		}
		if cmp.Equal(want, said(found)) {
			return found
		}
		if time.Now().After(deadline) {
			b.t.Errorf("%s (-want +got):\n%s", when, cmp.Diff(want, said(found)))
			return found
		}
		_ = process.Wait(b.t.Context(), 200*time.Millisecond)
	}
}

func (b *bench) previews(when string, r platform.Revision, want ...string) {
	b.t.Helper()
	found, err := b.Preview(b.t.Context(), target, r)
	if err != nil {
		b.t.Fatalf("%s: %v", when, err)
	}
	if diff := cmp.Diff(want, said(found)); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// What charts put on a Deployment, and change from release to release.
const (
	undescribed = "metadata: {name: hello, namespace: {{.Namespace}}}\nspec:\n  replicas: 2"
	described   = "metadata: {name: hello, namespace: {{.Namespace}}, labels: {chart: hello-2}, annotations: {about: greetings}}\n" +
		"spec:\n  replicas: 2\n  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"
)

// A release is looked at before, goes its way, and is looked at again.
func TestWhatRunsIsComparedWithARelease(t *testing.T) {
	p := newRig(t).newPlace(t)
	p.apply(deployment + "---" + beside)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	adopted := b.until("the Deployment is adopted with two ready pods", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 2 && s.Weights[s.Home] == platform.Whole
	})

	bare := platform.Revision{ID: "r-111111111111", Artifact: platform.Artifact{Ref: "fairway.test/hello:v1"}, Settings: p.settings(false)}
	b.previews("the image that runs, without manifests", bare)
	b.drifts("the image that runs, without manifests", bare)
	bare.Artifact.Ref, bare.Config.Env = "fairway.test/hello:v2", map[string]string{"COLOUR": "red"}
	b.previews("another image and a variable, without manifests", bare,
		`Deployment hello changed spec.template.spec.containers[hello].env: [{"name":"COLOUR","value":"red"}], not null`,
		`Deployment hello changed spec.template.spec.containers[hello].image: "fairway.test/hello:v2", not "fairway.test/hello:v1"`)

	v2 := p.complete("r-222222222222", "fairway.test/hello:v2", undescribed, described)
	about := []string{
		"ConfigMap hello missing",
		`Deployment hello changed metadata.annotations.about: "greetings", not null`,
		`Deployment hello changed metadata.labels: {"chart":"hello-2"}, not null`,
		`Deployment hello changed spec.strategy.rollingUpdate.maxSurge: 1, not "25%"`,
		`Deployment hello changed spec.strategy.rollingUpdate.maxUnavailable: 0, not "25%"`,
	}
	b.previews("a release with config", v2,
		append(about, `Deployment hello changed spec.template.spec.containers[hello].image: "fairway.test/hello:v2", not "fairway.test/hello:v1"`)...)
	unnamed := v2
	unnamed.Artifact = platform.Artifact{}
	b.previews("no artifact", unnamed, about...)

	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary's pods are ready", func(s platform.State) bool {
		r, _ := s.Revision(v2.ID)
		return r.Ready() == 2
	})
	b.settle(adopted.Home, v2.ID)

	found := b.drifts("after it has settled", v2)
	if want := []string{"Widget " + p.namespace + "/hello was not compared: Fairway does not know the kind."}; !cmp.Equal(want, found.Notes) {
		t.Errorf("the notes are %q", found.Notes)
	}
	b.previews("what has settled, again", v2)
	b.drifts("with the image that the manifests name", unnamed,
		`Deployment hello changed spec.template.spec.containers[hello].image: "fairway.test/hello:v1", not "fairway.test/hello:v2"`)

	in := "/namespaces/" + p.namespace
	b.patch("/apis/apps/v1"+in+"/deployments/hello", `{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}}`)
	grace := `Deployment hello changed spec.template.spec.terminationGracePeriodSeconds: 5, not 9`
	b.drifts("after an edit by hand", v2, grace)
	b.patch("/apis/apps/v1"+in+"/deployments/hello", `{"spec": {"replicas": 3}}`)
	b.drifts("after it was scaled, which the autoscaler does", v2, grace)
	b.patch("/api/v1"+in+"/configmaps/hello", `{"data": {"colour": "red", "more": "is others'"}}`)
	colour := `ConfigMap hello changed data.colour: "blue", not "red"`
	b.drifts("after another edit", v2, colour, grace)
	b.patch("/apis/policy/v1"+in+"/poddisruptionbudgets/hello", `{"spec": {"minAvailable": 2}}`)
	budget := `PodDisruptionBudget hello changed spec.minAvailable: 1, not 2`
	b.drifts("after a third", v2, colour, grace, budget)
	if err := b.API.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1"+in+"/configmaps/hello", "", nil, nil); err != nil {
		t.Fatal(err)
	}
	b.drifts("after the config was deleted", v2, "ConfigMap hello missing", grace, budget)

	v3 := p.complete("r-333333333333", "fairway.test/hello:v1", undescribed, described, "minAvailable: 1", "minAvailable: 2", "periodSeconds: 1", "periodSeconds: 7", "colour: blue", "colour: green")
	b.previews("the next release", v3,
		"ConfigMap hello missing",
		`Deployment hello changed spec.template.spec.containers[hello].image: "fairway.test/hello:v1", not "fairway.test/hello:v2"`,
		`Deployment hello changed spec.template.spec.containers[hello].readinessProbe.periodSeconds: 7, not 1`,
		grace)

	refused := p.complete("r-444444444444", "fairway.test/hello:v1", "containerPort: 8080", "containerPort: 808080")
	if _, err := b.Preview(t.Context(), target, refused); err == nil || !strings.Contains(err.Error(), "containerPort") {
		t.Errorf("what the API server refuses is previewed: %v", err)
	}
}
