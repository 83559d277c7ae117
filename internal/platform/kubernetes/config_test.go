package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/fairwayhq/fairway/internal/fault"
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

// A policy of the cluster's that the image v2 does not come into the Deployment hello.
const noSecondVersion = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: {{.Namespace}}}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}
  matchConditions: [{name: home, expression: "object.metadata.name == 'hello'"}]
  validations: [{expression: "TRIED object.spec.template.spec.containers.all(c, !c.image.endsWith(':v2'))"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: {{.Namespace}}}
spec:
  policyName: {{.Namespace}}
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{.Namespace}}}}}
`

// A home that may not be updated keeps its config: it is not written over when the cluster
// says so beforehand, and comes back when it only says so in the end. A worker that has lost
// the key brings back all but the values of Secrets.
func configOfARefusedHome(t *testing.T, p *place) {
	first := strings.ReplaceAll(configured, "ports: [", "envFrom: [{configMapRef: {name: hello-config}}]\n        ports: [")
	p.apply(deployment)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	adopted := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	values := strings.ReplaceAll(secret, "VALUE", "first")
	one := p.sealed("r-111111111111", values+first, workerKey.SealingKey())
	two := p.sealed("r-222222222222", strings.ReplaceAll(values+first, "HELLO_VERSION: first", "HELLO_VERSION: second"), workerKey.SealingKey())
	two.Artifact.Ref = "fairway.test/hello:v2"
	for _, r := range []platform.Revision{one, two} {
		b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 2}))
		b.until(r.ID+" is ready", func(s platform.State) bool { state, _ := s.Revision(r.ID); return state.Ready() == 2 })
		if r.ID == one.ID {
			b.settle(adopted, one.ID)
		}
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{two.ID: platform.Whole}))

	for _, c := range []struct{ tried, config string }{{"", "first"}, {"request.dryRun ||", "second"}} {
		p.apply(strings.Replace(noSecondVersion, "TRIED", c.tried, 1))
		b.eventually("the policy is in force", func() error {
			body := `{"spec": {"template": {"spec": {"containers": [{"name": "hello", "image": "fairway.test/hello:v2"}]}}}}`
			err := b.API.Do(t.Context(), http.MethodPatch, "/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello?dryRun=All", "application/strategic-merge-patch+json", []byte(body), nil)
			if admits := err == nil; admits != (c.tried != "") {
				return fmt.Errorf("a dry run is admitted: %t: %w", admits, err)
			}
			return nil
		})
		b.eventually("the home is refused", func() error {
			_, err := b.Settle(t.Context(), b.lease, target, two.ID)
			if fault.CodeOf(err) != fault.Invalid {
				return fmt.Errorf("it settles with %w", err)
			}
			return nil
		})
		if said := b.data(); said != c.config {
			t.Errorf("where a dry run is told %q, the home's config says %s, not %s", c.tried, said, c.config)
		}
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{one.ID: platform.Whole}))
	keyless := kubernetes.New(kubernetes.Config{Kubeconfig: p.Kubeconfig})
	t.Cleanup(keyless.Close)
	b.must(p.open(t, keyless).Retire(t.Context(), b.lease, target, two.ID))
	if said := b.data(); said != "first" {
		t.Errorf("after it was taken back the home's config says %s", said)
	}
	b.secrets("after it was taken back without a key", "second")
	b.kinds("after it was taken back", nil)
}
