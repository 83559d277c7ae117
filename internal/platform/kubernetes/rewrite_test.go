package kubernetes_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/platform"
)

// What a team has, with more in it than the next release says.
var laden = strings.NewReplacer(
	"replicas: 2", "replicas: 2\n  minReadySeconds: 1\n  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}",
	"    spec:\n", "    spec:\n      volumes: [{name: scratch, emptyDir: {}}]\n",
	"ports: [", "env: [{name: FEATURE_X, value: \"on\"}, {name: POD, value: none}]\n        volumeMounts: [{name: scratch, mountPath: /scratch}]\n        ports: [",
).Replace(deployment) + "      - {name: sidecar, image: \"fairway.test/pause:v1\"}\n"

// What the release says.
var lean = strings.NewReplacer(
	"metadata: {name: hello, namespace: {{.Namespace}}}", "metadata: {name: hello, namespace: {{.Namespace}}, labels: {chart: hello-2}}",
	"replicas: 2", "replicas: 2\n  strategy: {type: Recreate}",
	"httpGet: {path: /ready, port: 8080}", "tcpSocket: {port: 8080}",
	"ports: [", "env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n        ports: [",
).Replace(deployment)

// pods are what a Deployment says of its pods and how they are replaced.
type pods struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		Replicas, MinReadySeconds int
		Strategy, Template        map[string]any
	}
}

func (b *bench) pods(deployment string) (d pods) {
	b.t.Helper()
	b.get("/apis/apps/v1/namespaces/"+b.namespace+"/deployments/"+deployment, &d)
	return d
}

// container is one of the pods' containers, or nil.
func (d pods) container(name string) map[string]any {
	spec, _ := d.Spec.Template["spec"].(map[string]any)
	all, _ := spec["containers"].([]any)
	for _, c := range all {
		if c, _ := c.(map[string]any); c["name"] == name {
			return c
		}
	}
	return nil
}

// Who has made the home: kubectl and Helm by creating it, others by applying it. What they
// have set goes with the manifests that leave it out, and comes back with them.
func droppedByManifests(made func(b *bench)) func(*testing.T, *place) {
	return func(t *testing.T, p *place) {
		b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
		made(b)
		adopted := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 })
		former, _ := adopted.Revision(adopted.Home)
		before := b.pods("hello")

		v2 := platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.with(lean, needed, "")}
		const in = "Deployment hello changed spec.template.spec."
		b.previews("what the release drops", v2,
			"ConfigMap hello missing",
			`Deployment hello changed metadata.labels.chart: "hello-2", not null`,
			`Deployment hello changed spec.strategy.rollingUpdate: null, not {"maxSurge":2,"maxUnavailable":0}`,
			`Deployment hello changed spec.strategy.type: "Recreate", not "RollingUpdate"`,
			in+`containers[hello].env[FEATURE_X]: null, not {"name":"FEATURE_X","value":"on"}`,
			in+`containers[hello].env[POD].value: null, not "none"`,
			in+`containers[hello].env[POD].valueFrom: {"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}, not null`,
			in+`containers[hello].image: "fairway.test/hello:v2", not "fairway.test/hello:v1"`,
			in+`containers[hello].readinessProbe.httpGet: null, not {"path":"/ready","port":8080,"scheme":"HTTP"}`,
			in+`containers[hello].readinessProbe.tcpSocket: {"port":8080}, not null`,
			in+`containers[hello].volumeMounts: null, not [{"mountPath":"/scratch","name":"scratch"}]`,
			in+`containers[sidecar]: null, not {"image":"fairway.test/pause:v1","imagePullPolicy":"IfNotPresent","name":"sidecar","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}`,
			in+`volumes: null, not [{"emptyDir":{},"name":"scratch"}]`,
			"ServiceAccount hello missing",
		)
		goes := func(other string, r platform.Revision) {
			t.Helper()
			b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 2}))
			b.until(r.ID+" is ready", func(s platform.State) bool { state, _ := s.Revision(r.ID); return state.Ready() == 2 })
			b.settle(other, r.ID)
		}
		goes(adopted.Home, v2)
		b.answers("v2")
		after := b.pods("hello")
		c := after.container("hello")
		probe, _ := c["readinessProbe"].(map[string]any)
		if probe["tcpSocket"] == nil || probe["httpGet"] != nil || c["volumeMounts"] != nil || after.container("sidecar") != nil {
			t.Errorf("the home's pods have what the manifests dropped, or lack what they say: %v", after.Spec.Template)
		}
		pod := map[string]any{"name": "POD", "valueFrom": map[string]any{"fieldRef": map[string]any{"apiVersion": "v1", "fieldPath": "metadata.name"}}}
		if diff := cmp.Diff([]any{pod}, c["env"]); diff != "" {
			t.Errorf("the home's variables (-want +got):\n%s", diff)
		}
		if s := after.Spec; s.Strategy["type"] != "Recreate" || s.Replicas != 2 || s.MinReadySeconds != 1 {
			t.Errorf("the home is %+v", s)
		}
		if l := after.Metadata.Labels; l["chart"] != "hello-2" || l["team"] != "own" {
			t.Errorf("the home has the labels %v", l)
		}
		b.previews("what has settled, again", v2)
		b.drifts("after it has settled", v2)

		v3 := platform.Revision{ID: "r-333333333333", Artifact: v2.Artifact, Settings: p.with(strings.Replace(lean, ", labels: {chart: hello-2}", "", 1), needed, "")}
		running := b.names(v2.ID)
		goes(v2.ID, v3)
		if now := b.names(v3.ID); !slices.Equal(now, running) {
			t.Errorf("the same pods were started anew: %v in place of %v", now, running)
		}
		if l := b.pods("hello").Metadata.Labels; l["chart"] != "" || l["team"] != "own" {
			t.Errorf("without the release's label the home has %v", l)
		}

		goes(v3.ID, former.Revision)
		b.answers("v1")
		back := b.pods("hello")
		if image, _ := back.container("hello")["image"].(string); !strings.HasPrefix(image, helloImage+"@") {
			t.Errorf("a rollback brings back the image %s", image)
		}
		back.container("hello")["image"] = helloImage
		if diff := cmp.Diff(before, back); diff != "" {
			t.Errorf("after a rollback the home is not what it was (-was +is):\n%s", diff)
		}
	}
}

// names are those of a revision's pods.
func (b *bench) names(revision string) (all []string) {
	r, _ := b.observe().Revision(revision)
	for _, i := range r.Instances {
		all = append(all, i.ID)
	}
	return all
}

// created makes the home as `kubectl apply` and Helm do.
func created(b *bench) {
	b.t.Helper()
	body, err := yaml.YAMLToJSON([]byte(b.fill(laden)))
	b.must(err)
	path := "/apis/apps/v1/namespaces/" + b.namespace + "/deployments"
	b.must(b.API.Do(b.t.Context(), http.MethodPost, path+"?fieldManager=kubectl-client-side-apply", "application/json", body, nil))
	b.patch(path+"/hello", `{"metadata": {"labels": {"team": "own"}}}`)
}

// applied makes the home as server-side appliers do.
func applied(b *bench) {
	b.t.Helper()
	b.apply(strings.Replace(laden, "namespace: {{.Namespace}}}", "namespace: {{.Namespace}}, labels: {team: own}}", 1))
}
