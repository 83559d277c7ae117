package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// deleteSide deletes the Deployment beside the home, as somebody may do, and waits until all
// that it owned has gone.
func (b *bench) deleteSide(revision string) platform.State {
	b.t.Helper()
	b.must(b.API.Do(b.t.Context(), http.MethodDelete, "/apis/apps/v1/namespaces/"+b.namespace+"/deployments/hello-"+revision, "", nil, nil))
	b.kinds("after it was deleted", nil)
	return b.until("it is seen that it was deleted", func(s platform.State) bool {
		r, there := s.Revision(revision)
		return !there || r.Backend == b.namespace+"/hello"
	})
}

// comesToAnswer waits until a version alone answers: the gateway hears late of what has gone.
func (b *bench) comesToAnswer(version string) {
	b.t.Helper()
	b.until(version+" alone answers", func(platform.State) bool {
		for range 20 {
			if got, err := b.ask("/"); err != nil || got != version {
				return false
			}
		}
		return true
	})
}

// A side that somebody deletes leaves a share of the traffic that nobody answers. That is told
// as it is, so that it can be taken back, or go on to the home.
func deletedSide(t *testing.T, p *place) {
	p.apply(deployment)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	before := b.backendRefs()
	v2 := platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	stand := func() {
		b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
		b.until("the side is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 2 })
	}

	stand()
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: 500_000, v2.ID: 500_000}))
	if s := b.deleteSide(v2.ID); s.Foreign != "" || s.Weights[v2.ID] != 500_000 {
		t.Errorf("when it has gone it is told %q with %v", s.Foreign, s.Weights)
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, v2.ID))
	b.comesToAnswer("v1")
	if s := b.observe(); s.Foreign != "" || s.Weights[old] != platform.Whole || len(s.Revisions) != 1 || b.backendRefs() != before {
		t.Errorf("taken back: %+v, the route leads to %s", s, b.backendRefs())
	}

	stand()
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{v2.ID: platform.Whole}))
	b.deleteSide(v2.ID)
	if _, err := b.Settle(t.Context(), b.lease, target, v2.ID); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "somebody has deleted the Deployment hello-"+v2.ID) {
		t.Errorf("what is nowhere is settled: %v", err)
	}
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: platform.Whole}))

	stand()
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{v2.ID: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, old))
	b.until("the home is updated", func(platform.State) bool {
		awaits, err := b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return strings.HasPrefix(awaits, "the Deployment hello is updated")
	})
	if s := b.deleteSide(v2.ID); s.Foreign != "" || s.Weights[v2.ID] != platform.Whole {
		t.Errorf("while it settles it is told %q with %v", s.Foreign, s.Weights)
	}
	b.until("it has settled", func(platform.State) bool {
		awaits, err := b.Settle(t.Context(), b.lease, target, v2.ID)
		b.must(err)
		return awaits == ""
	})
	b.comesToAnswer("v2") // it was sent there while the home was still being updated
	if s := b.observe(); s.Home != v2.ID || s.Foreign != "" || len(s.Revisions) != 1 || b.backendRefs() != before {
		t.Errorf("in the end: %+v, the route leads to %s", s, b.backendRefs())
	}
}

// Without a gateway the Service leads to nobody when the side that has everything is deleted.
func deletedPods(t *testing.T, f *fleet) {
	f.stand(f.canary, 2)
	f.give(platform.Weights{f.old: 666_667, f.canary.ID: 333_333})
	f.deleteSide(f.canary.ID)
	f.until("it is told that it has gone with a part", func(s platform.State) bool { // its pods go a little later
		return strings.Contains(s.Foreign, "somebody has deleted")
	})
	f.give(platform.Weights{f.old: platform.Whole}) // as the undoing of its release does
	f.must(f.Retire(t.Context(), f.lease, target, f.canary.ID))
	if s := f.observe(); s.Foreign != "" || s.Weights[f.old] != platform.Whole {
		t.Errorf("taken back from a part: %+v", s)
	}

	f.stand(f.canary, 2)
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(2, 0)
	if s := f.deleteSide(f.canary.ID); s.Foreign != "" || s.Weights[f.canary.ID] != platform.Whole {
		t.Errorf("when it has gone it is told %q with %v", s.Foreign, s.Weights)
	}
	f.give(platform.Weights{f.old: platform.Whole})
	f.leads(0, 4)
	f.must(f.Retire(t.Context(), f.lease, target, f.canary.ID))
	if s := f.observe(); s.Foreign != "" || s.Weights[f.old] != platform.Whole || f.selector() != `{"app":"hello"}` {
		t.Errorf("taken back: %+v, the Service selects %s", s, f.selector())
	}
}
