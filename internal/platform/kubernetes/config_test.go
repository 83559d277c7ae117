package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
)

const configured = `
apiVersion: v1
kind: ConfigMap
metadata: {name: hello-config, namespace: {{.Namespace}}}
data: {HELLO_VERSION: first}
---` + deployment

// withConfig are settings with the manifests of configured.
func (p *place) withConfig(manifests string) []byte {
	var s kubernetes.Settings
	if err := json.Unmarshal(p.settings(false), &s); err != nil {
		p.t.Fatal(err)
	}
	for text := range strings.SplitSeq(p.fill(manifests), "---") {
		object, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			p.t.Fatal(err)
		}
		s.Objects = append(s.Objects, object)
	}
	return asJSON(p.t, s)
}

// A release of config alone: the side has its own, and the home keeps what it has until
// it is updated.
func ownConfig(t *testing.T, p *place) {
	first := strings.ReplaceAll(configured, "ports: [", "envFrom: [{configMapRef: {name: hello-config}}]\n        ports: [")
	p.apply(first)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	b.answers("first")
	second := strings.ReplaceAll(first, "HELLO_VERSION: first", "HELLO_VERSION: second")
	r := platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: helloImage}, Settings: p.withConfig(second)}
	b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 2}))
	b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(r.ID); return r.Ready() == 2 })
	if said := b.data(); said != "first" {
		t.Errorf("the home's config says %s while the side has its own", said)
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{r.ID: platform.Whole}))
	b.answers("second")
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: platform.Whole})) // a rollback of config is a shift of traffic
	b.answers("first")
	b.settle(old, r.ID)
	b.answers("second")
	if said := b.data(); said != "second" {
		t.Errorf("after it has settled the home's config says %s", said)
	}
	b.kinds("after it has settled", nil)
}

func (b *bench) data() string {
	b.t.Helper()
	var c struct{ Data map[string]string }
	b.get("/api/v1/namespaces/"+b.namespace+"/configmaps/hello-config", &c)
	return c.Data["HELLO_VERSION"]
}
