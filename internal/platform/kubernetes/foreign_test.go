package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/platform"
)

const routeByHand = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: fairway, namespace: default}]
  hostnames: [{{.Namespace}}.test]
  rules:
  - backendRefs: [{name: hello, port: 80, weight: 1}, {name: hello-r-222222222222, port: 80, weight: 1}]
`

func anotherWriter(t *testing.T, p *place) {
	p.apply(deployment)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	v2 := platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 1}))
	b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 1 })
	split := platform.Weights{old: 900_000, v2.ID: 100_000}
	b.must(b.Route(t.Context(), b.lease, target, split))
	if s := b.observe(); s.Foreign != "" {
		t.Fatalf("Fairway's own weights are foreign to it: %s", s.Foreign)
	}
	p.apply(routeByHand)
	s := b.until("the other writer is seen", func(s platform.State) bool { return s.Foreign != "" })
	want := "test has changed the HTTPRoute hello: its weights are " + old + " 50 %, r-222222222222 50 %"
	if old > v2.ID {
		want = "test has changed the HTTPRoute hello: its weights are r-222222222222 50 %, " + old + " 50 %"
	}
	if !strings.HasPrefix(s.Foreign, want) || s.Weights[v2.ID] != 500_000 {
		t.Errorf("it is told %q with %v", s.Foreign, s.Weights)
	}
	b.must(b.Route(t.Context(), b.lease, target, split)) // as a person has decided
	if s := b.observe(); s.Foreign != "" || s.Weights[v2.ID] != 100_000 {
		t.Errorf("afterwards: %+v", s)
	}
	p.apply(strings.ReplaceAll(deployment, "name: hello\n        image", "name: hello\n        env: [{name: BY, value: hand}]\n        image"))
	s = b.until("the changed home is seen", func(s platform.State) bool { return s.Foreign != "" })
	if !strings.Contains(s.Foreign, "the Deployment hello") {
		t.Errorf("it is told %q", s.Foreign)
	}
}
