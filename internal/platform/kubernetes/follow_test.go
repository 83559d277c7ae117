package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
)

// Where a controller updates the home from Git, Fairway keeps its hands off the pods.
func homeOfAController(t *testing.T, p *place) {
	p.apply(deployment)
	b, settings := p.followed(p.settings(false))
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: settings}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 2 })
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{v2.ID: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, old))

	var said string
	var err error
	b.until("the controller is waited for", func(platform.State) bool {
		said, err = b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return strings.HasPrefix(said, "Argo CD")
	})
	var now home
	b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &now)
	if image := now.Spec.Template.Spec.Containers[0].Image; image != "fairway.test/hello:v1" {
		t.Fatalf("Fairway has set the image %s", image)
	}
	p.apply(strings.ReplaceAll(deployment, "hello:v1", "hello:v3")) // as it does when somebody has committed that
	b.until("the third version is spoken of", func(platform.State) bool {
		said, err = b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return strings.HasPrefix(said, "somebody has given the Deployment hello the image fairway.test/hello:v3")
	})
	p.apply(strings.ReplaceAll(deployment, "hello:v1", "hello:v2")) // as it does in the end
	b.until("it has settled", func(platform.State) bool {
		awaits, err := b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return awaits == ""
	})
	b.answers("v2")
	b.kinds("in the end", nil)
	if s := b.observe(); s.Home != v2.ID || len(s.Revisions) != 1 || s.Foreign != "" {
		t.Errorf("in the end: %+v", s)
	}
}

// followed is a bench on which Argo CD updates the home, and its settings.
func (p *place) followed(settings []byte) (*bench, []byte) {
	p.t.Helper()
	var s kubernetes.Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		p.t.Fatal(err)
	}
	s.Controller = "argocd"
	settings = asJSON(p.t, s)
	opened, err := p.clusters.Open(settings)
	if err != nil {
		p.t.Fatal(err)
	}
	return &bench{place: p, Platform: opened, lease: platform.Lease{Fence: 1, Holder: "w"}}, settings
}

// whole places v2 with some pods beside the home of two, and gives it all the traffic.
func (b *bench) whole(settings []byte, pods int) (old string, v2 platform.Revision) {
	b.t.Helper()
	ctx := b.t.Context()
	old = b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	v2 = platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: settings}
	b.must(b.Place(ctx, b.lease, target, v2, platform.Capacity{Instances: pods}))
	b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == pods })
	b.must(b.Route(ctx, b.lease, target, platform.Weights{old: 500_000, v2.ID: 500_000}))
	b.must(b.Route(ctx, b.lease, target, platform.Weights{v2.ID: platform.Whole}))
	return old, v2
}

// An autoscaler keeps a home small that has no load, and no repository says how many pods it
// is to have: it gets as many as bear the traffic before it has any.
func scaledHomeOfAController(t *testing.T, p *place) {
	p.apply(strings.Replace(deployment, "  replicas: 2\n", "", 1) + "---" + beside)
	b, settings := p.followed(p.settings(false))
	at := "/apis/apps/v1/namespaces/" + p.namespace + "/deployments/hello"
	b.patch(at, `{"spec": {"replicas": 2}}`)
	old, v2 := b.whole(settings, 4)
	p.apply(strings.NewReplacer("  replicas: 2\n", "", "hello:v1", "hello:v2").Replace(deployment)) // as the controller does
	var now home
	if b.get(at, &now); now.Spec.Replicas != 2 {
		t.Fatalf("the home has %d pods before it is to bear anything", now.Spec.Replicas)
	}
	b.until("the home gets the traffic", func(platform.State) bool {
		_, err := b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return !strings.Contains(b.backendRefs(), "hello-"+v2.ID) || strings.Contains(b.backendRefs(), `"name":"hello-`+v2.ID+`","port":80,"weight":0`)
	})
	b.get(at, &now)
	if s := b.scaler(); now.Status.ReadyReplicas != 4 || s.Spec.MinReplicas != 4 {
		t.Errorf("the home gets the traffic of four pods with %d that are ready, and may be scaled to %d", now.Status.ReadyReplicas, s.Spec.MinReplicas)
	}
	b.settle(old, v2.ID)
	if s := b.scaler(); s.Spec.MinReplicas != 1 || len(s.Metadata.Annotations) > 0 {
		t.Errorf("the autoscaler was not given back: %+v", s)
	}
}

// A service account that is new with a release is there for its side, and stays the home's.
func accountOfAController(t *testing.T, p *place) {
	const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: hello, namespace: {{.Namespace}}}\n---"
	released := account + strings.NewReplacer("hello:v1", "hello:v2", "      containers:", "      serviceAccountName: hello\n      containers:").Replace(deployment)
	p.apply(deployment)
	b, settings := p.followed(p.withConfig(released))
	old, v2 := b.whole(settings, 2)
	p.apply(released) // as the controller does
	b.settle(old, v2.ID)
	b.kinds("when what the side owned is gone", nil)
	var now struct {
		Metadata struct {
			Labels            map[string]string
			OwnerReferences   []struct{ Name string }
			DeletionTimestamp string
		}
	}
	b.get("/api/v1/namespaces/"+p.namespace+"/serviceaccounts/hello", &now)
	if m := now.Metadata; len(m.Labels) > 0 || len(m.OwnerReferences) > 0 || m.DeletionTimestamp != "" {
		t.Errorf("the account is still the side's: %+v", m)
	}
	b.answers("v2")
}
