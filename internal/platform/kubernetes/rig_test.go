package kubernetes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/sealed"
	"github.com/fairwayhq/fairway/test/cluster"
)

const (
	helloPackage = "github.com/fairwayhq/fairway/test/cluster/hello"
	helloImage   = "fairway.test/hello:v1"
)

// rig is a real cluster with a gateway; each test works in a namespace of its own.
type rig struct {
	*cluster.Cluster
	namespaces atomic.Int32
}

func newRig(t *testing.T) *rig {
	c := cluster.Start(t, cluster.Options{Node: true, Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, v := range []string{"v1", "v2"} {
		if err := c.Load(ctx, cluster.Image{Name: "fairway.test/hello:" + v, Package: helloPackage, LDFlags: "-X main.version=" + v}); err != nil {
			t.Fatal(err)
		}
	}
	return &rig{Cluster: c}
}

// place is a namespace with what a team has there.
type place struct {
	*rig
	t         *testing.T
	namespace string
	clusters  *kubernetes.Clusters
	// byPods says that the Service splits the traffic, without a gateway.
	byPods  bool
	byGRPC  bool            // a GRPCRoute leads to the Service
	roles   []string        // what the worker's role has in place of what the guide has: pairs of old and new
	address string          // of the Service
	single  *http.Transport // of one request per connection
}

// newPlaceByPods is a place where no gateway splits the traffic.
func (r *rig) newPlaceByPods(t *testing.T) *place {
	p := r.newPlace(t)
	p.byPods, p.single = true, r.Transport()
	p.single.DisableKeepAlives = true
	var service struct{ Spec struct{ ClusterIP string } }
	if err := r.API.Get(t.Context(), "/api/v1/namespaces/"+p.namespace+"/services/hello", &service); err != nil {
		t.Fatal(err)
	}
	p.address = service.Spec.ClusterIP
	return p
}

// newPlaceByGRPC is a place where a GRPCRoute alone leads to the Service.
func (r *rig) newPlaceByGRPC(t *testing.T) *place {
	p := r.newPlace(t)
	p.byGRPC = true
	p.apply(grpcRoute)
	if err := r.API.Do(t.Context(), http.MethodDelete, "/apis/gateway.networking.k8s.io/v1/namespaces/"+p.namespace+"/httproutes/hello", "", nil, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// anchor is what splits the traffic: the group and the resource of it, and its path.
func (p *place) anchor() (group, resource, path string) {
	const routes = "gateway.networking.k8s.io"
	switch {
	case p.byPods:
		return "", "services", "/api/v1/namespaces/" + p.namespace + "/services/hello"
	case p.byGRPC:
		resource = "grpcroutes"
	default:
		resource = "httproutes"
	}
	return routes, resource, "/apis/" + routes + "/v1/namespaces/" + p.namespace + "/" + resource + "/hello"
}

// newPlace makes a namespace with a Service and a route, and no Deployment.
func (r *rig) newPlace(t *testing.T) *place {
	p := &place{rig: r, t: t, namespace: fmt.Sprintf("place-%d", r.namespaces.Add(1))}
	p.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: {{.Namespace}}}
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
  hostnames: [{{.Namespace}}.test]
  rules:
  - backendRefs: [{name: hello, port: 80}]
`)
	p.clusters = p.newClusters(t)
	t.Cleanup(func() {
		_ = r.API.Do(context.Background(), http.MethodDelete, "/api/v1/namespaces/"+p.namespace, "", nil, nil)
	})
	return p
}

func (p *place) newClusters(t *testing.T) *kubernetes.Clusters {
	c := kubernetes.New(kubernetes.Config{Kubeconfig: p.Kubeconfig, UserAgent: "fairway-test", Keys: sealed.Keys{workerKey}})
	t.Cleanup(c.Close)
	return c
}

func (p *place) fill(text string) string {
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse(text)).Execute(&b, map[string]string{"Namespace": p.namespace}); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

// apply applies manifests as a team does.
func (p *place) apply(manifests string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	if err := p.API.Apply(ctx, p.fill(manifests)); err != nil {
		p.t.Fatal(err)
	}
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: hello
        image: fairway.test/hello:v1
        readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
        ports: [{containerPort: 8080}]
`

// settings of the place; with manifests, the Deployment is one of them.
func (p *place) settings(manifests bool) []byte {
	s := kubernetes.Settings{
		Namespace: p.namespace, Deployment: "hello", Service: "hello", Route: kubernetes.RouteName{Kind: "HTTPRoute", Name: "hello"},
		ReadyTimeout: kubernetes.Duration(8 * time.Second), Drain: kubernetes.Duration(2 * time.Second),
	}
	switch {
	case p.byPods:
		s.Route = kubernetes.RouteName{}
	case p.byGRPC:
		s.Route.Kind = "GRPCRoute"
	}
	if manifests {
		object, err := yaml.YAMLToJSON([]byte(p.fill(deployment)))
		if err != nil {
			p.t.Fatal(err)
		}
		s.Objects = []json.RawMessage{object}
	}
	text, err := json.Marshal(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func (p *place) open(t *testing.T, c *kubernetes.Clusters) *kubernetes.Platform {
	t.Helper()
	opened, err := c.Open(p.settings(false))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// revision is a version of hello, as another environment makes it.
func (p *place) revision(id string, env map[string]string) platform.Revision {
	return platform.Revision{
		ID: id, Version: id, Artifact: platform.Artifact{Ref: helloImage},
		Config: platform.Config{Env: env}, Settings: p.settings(true),
	}
}

// ask sends one request through the gateway, or over a connection of its own to the
// Service, and returns what was answered.
func (p *place) ask(path string) (string, error) {
	url, client := p.GatewayURL, http.DefaultClient
	if p.byPods {
		url, client = "http://"+p.address, &http.Client{Transport: p.single, Timeout: 5 * time.Second}
	}
	r, err := http.NewRequest(http.MethodGet, url+path, nil)
	if err != nil {
		return "", err
	}
	r.Host = p.namespace + ".test"
	return p.do(client, r)
}

func (p *place) do(client *http.Client, r *http.Request) (string, error) {
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return strings.TrimSpace(string(text)), err
}
