package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/platform"
)

// What a first release may bring beside its Deployment and Service.
var brought = map[string]string{
	"ConfigMap": "/api/v1/namespaces/%s/configmaps/hello", "ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts/hello",
	"HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers/hello",
	"PodDisruptionBudget":     "/apis/policy/v1/namespaces/%s/poddisruptionbudgets/hello",
	"NetworkPolicy":           "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies/web",
	"Deployment":              "/apis/apps/v1/namespaces/%s/deployments/hello",
}

func TestAFirstReleaseThatIsTakenBackLeavesNothing(t *testing.T) {
	r := newRig(t)
	for by, fresh := range map[string]func(*testing.T) *place{"by a route": r.newPlace, "by pods": r.newPlaceByPods} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			firstTakenBack(t, fresh(t))
		})
	}
}

func firstTakenBack(t *testing.T, p *place) {
	p.apply(strings.ReplaceAll(strings.Replace(routeByHand, ", {name: hello-r-222222222222, port: 80, weight: 1}", "", 1), "weight: 1", "weight: 3"))
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}, refs: p.backendRefs()}
	selector := b.selector()
	release := func(id string, env map[string]string) platform.Revision {
		r := p.revision(id, env)
		r.Settings = p.with(deployment, strings.Join([]string{needed, beside}, "---\n"), "")
		return r
	}
	bad := release(badID, map[string]string{"HELLO_VERSION": "bad"})
	b.must(b.Place(t.Context(), b.lease, target, bad, platform.Capacity{Instances: 1}))
	b.until("it is ready", func(s platform.State) bool { r, _ := s.Revision(badID); return r.Ready() == 1 })
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{badID: platform.Whole}))
	b.answers("bad")
	b.must(b.Route(t.Context(), b.lease, target, nil))
	b.must(b.Retire(t.Context(), b.lease, target, badID))
	for kind, path := range brought {
		b.eventually("the "+kind+" is gone", func() error {
			if err := b.API.Get(t.Context(), fmt.Sprintf(path, b.namespace), nil); err == nil {
				return fmt.Errorf("it is there")
			}
			return nil
		})
	}
	if refs := b.backendRefs(); refs != b.refs {
		t.Errorf("the route leads to %s, and did to %s", refs, b.refs)
	}
	if now := b.selector(); now != selector {
		t.Errorf("the Service selects %s, and did %s", now, selector)
	}
	if s := b.observe(); len(s.Revisions) > 0 || len(s.Weights) > 0 || s.Foreign != "" {
		t.Errorf("of the release is left %+v", s)
	}

	// The next first release is the first again, and what came with it stays.
	good := release("r-222222222222", map[string]string{"HELLO_VERSION": "good"})
	b.must(b.Place(t.Context(), b.lease, target, good, platform.Capacity{Instances: 1}))
	b.until("it is ready", func(s platform.State) bool { r, _ := s.Revision(good.ID); return r.Ready() == 1 })
	if answer, err := b.ask("/"); err == nil {
		t.Errorf("before it has traffic it answers %q", answer)
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{good.ID: platform.Whole}))
	awaits, err := b.Settle(t.Context(), b.lease, target, good.ID)
	if err != nil || awaits != "" {
		t.Errorf("at home it awaits %q: %v", awaits, err)
	}
	b.answers("good")
	for kind, path := range brought {
		var o struct {
			Metadata struct{ OwnerReferences []struct{ Kind string } }
		}
		b.get(fmt.Sprintf(path, b.namespace), &o)
		if len(o.Metadata.OwnerReferences) > 0 {
			t.Errorf("the %s goes with %+v", kind, o.Metadata.OwnerReferences)
		}
	}
	if refs := b.backendRefs(); refs != b.refs {
		t.Errorf("in the end the route leads to %s, and did to %s", refs, b.refs)
	}
}

// selector is what the Service selects pods by.
func (b *bench) selector() string {
	b.t.Helper()
	var s struct {
		Spec struct{ Selector map[string]string }
	}
	b.get("/api/v1/namespaces/"+b.namespace+"/services/hello", &s)
	return string(asJSON(b.t, s.Spec.Selector))
}
