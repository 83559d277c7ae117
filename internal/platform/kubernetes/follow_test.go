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
	var s kubernetes.Settings
	if err := json.Unmarshal(p.settings(false), &s); err != nil {
		t.Fatal(err)
	}
	s.Controller = "argocd"
	settings := asJSON(t, s)
	opened, err := p.clusters.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{place: p, Platform: opened, lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: settings}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 2 })
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{v2.ID: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, old))

	said := ""
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
