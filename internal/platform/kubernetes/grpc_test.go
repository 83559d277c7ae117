package kubernetes_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

const grpcRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: fairway, namespace: default}]
  hostnames: [grpc.{{.Namespace}}.test]
  rules:
  - matches: [{method: {service: greet.Greeter, method: Hello}}]
    backendRefs: [{name: hello, port: 80, weight: 7}]
  - backendRefs: [{name: other, port: 80}]
`

// grpcRules are those of a GRPCRoute, with the defaults that the API server has set.
type grpcRules []struct {
	Matches []struct {
		Method  struct{ Service, Method string }
		Headers []struct{ Type, Name, Value string }
	}
	BackendRefs []struct {
		Name   string
		Weight int
	}
}

// leads is where each rule leads to, with the weights and what chooses its requests.
func (b *bench) leads() string {
	b.t.Helper()
	var route struct{ Spec struct{ Rules grpcRules } }
	b.get("/apis/gateway.networking.k8s.io/v1/namespaces/"+b.namespace+"/grpcroutes/hello", &route)
	var rules []string
	for _, r := range route.Spec.Rules {
		var parts []string
		for _, m := range r.Matches {
			parts = append(parts, m.Method.Service+"/"+m.Method.Method)
			for _, h := range m.Headers {
				parts = append(parts, h.Type+" "+h.Name+"="+h.Value)
			}
		}
		for _, ref := range r.BackendRefs {
			parts = append(parts, fmt.Sprintf("%s:%d", ref.Name, ref.Weight))
		}
		rules = append(rules, strings.Join(parts, " "))
	}
	return strings.Join(rules, " | ")
}

// A GRPCRoute is kept by the API server as an HTTPRoute is: adopted, split, fenced, given an
// audience, and left as it was.
func TestAGRPCRouteBearsARelease(t *testing.T) {
	p := newRig(t).newPlaceByGRPC(t)
	p.apply(deployment)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	const before, side = "greet.Greeter/Hello hello:7 | other:1", "hello-r-222222222222"
	admit := b.Platform.(platform.Admitter).Admit
	old := b.until("the Deployment is adopted", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 2 && s.Weights[s.Home] == platform.Whole
	}).Home
	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 2 })
	b.expect("after a placement", before)

	b.must(admit(t.Context(), b.lease, target, v2.ID, platform.Match{Header: "x-canary", Value: "yes"}))
	b.expect("with an audience", "greet.Greeter/Hello Exact x-canary=yes "+side+":1 | "+before)
	b.must(admit(t.Context(), b.lease, target, v2.ID, platform.Match{}))
	b.expect("without an audience", before)

	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: 950_000, v2.ID: 50_000}))
	split := "greet.Greeter/Hello hello:950000 " + side + ":50000 | other:1"
	b.expect("with 5 %", split)
	if s := b.observe(); !reflect.DeepEqual(s.Weights, platform.Weights{old: 950_000, v2.ID: 50_000}) || s.Foreign != "" || s.Fence != 1 {
		t.Errorf("observed: %+v", s)
	}
	older := platform.Lease{Fence: 0, Holder: "dead"}
	if err := b.Route(t.Context(), older, target, platform.Weights{v2.ID: platform.Whole}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an older fence moves traffic: %v", err)
	}
	b.expect("after an older fence", split)

	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, v2.ID))
	b.expect("taken back", before)
	b.kinds("taken back", nil)

	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary is ready again", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 2 })
	b.settle(old, v2.ID)
	b.expect("settled", before)
	b.kinds("settled", nil)
	if s := b.observe(); s.Home != v2.ID || s.Foreign != "" {
		t.Errorf("in the end: %+v", s)
	}

	p.apply(strings.ReplaceAll(grpcRoute, "{name: hello, port: 80, weight: 7}", "{name: hello, port: 80}, {name: legacy, port: 80}"))
	b.until("a foreign backend is refused", func(platform.State) bool {
		err := b.Place(t.Context(), b.lease, target, p.revision("r-333333333333", nil), platform.Capacity{Instances: 1})
		return fault.CodeOf(err) == fault.Invalid && strings.Contains(err.Error(), "a rule of the GRPCRoute hello leads to the Service legacy beside hello")
	})
}

// expect compares where the route's rules lead to.
func (b *bench) expect(when, want string) {
	b.t.Helper()
	if got := b.leads(); got != want {
		b.t.Errorf("%s the route has\n%s\nand not\n%s", when, got, want)
	}
}
