package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// asked is who answers a request with a header, once the gateway has heard of what is wanted.
func (b *bench) asked(name, value, want string) {
	b.t.Helper()
	got := ""
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late) && got != want; {
		r, err := http.NewRequest(http.MethodGet, b.GatewayURL+"/", nil)
		b.must(err)
		r.Host = b.namespace + ".test"
		if name != "" {
			r.Header.Set(name, value)
		}
		var text string
		if text, err = b.do(http.DefaultClient, r); err == nil {
			got = text
		}
	}
	if got != want {
		b.t.Errorf("%q with the header %s: %s is answered by %q, not by %s", b.namespace, name, value, got, want)
	}
}

func TestAnAudienceHasTheCanaryAlone(t *testing.T) {
	p := newRig(t).newPlace(t)
	p.apply(deployment)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	admit := b.Platform.(platform.Admitter).Admit
	adopted := b.until("the Deployment is adopted", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 })
	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	header := platform.Match{Header: "X-Canary", Value: "yes"}
	if err := admit(t.Context(), b.lease, target, v2.ID, header); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("what is not there gets an audience: %v", err)
	}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 1}))
	b.until("the canary is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 1 })
	before := b.backendRefs()

	for range 2 {
		b.must(admit(t.Context(), b.lease, target, v2.ID, header))
	}
	b.asked("X-Canary", "yes", "v2")
	b.asked("X-Canary", "no", "v1")
	b.answers("v1")
	if s := b.observe(); s.Weights[adopted.Home] != platform.Whole || s.Foreign != "" {
		t.Errorf("an audience changes the weights: %+v", s)
	}
	b.must(admit(t.Context(), b.lease, target, v2.ID, platform.Match{Cookie: "beta", Value: "1"}))
	b.asked("Cookie", "theme=dark; beta=1", "v2")
	b.asked("Cookie", "beta=1; theme=dark", "v2")
	b.asked("Cookie", "beta=10", "v1")
	b.asked("Cookie", "alphabeta=1", "v1")
	b.asked("X-Canary", "yes", "v1")

	// A split goes on beside it, and what is retired takes its audience along.
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{adopted.Home: 999_999, v2.ID: 1}))
	b.asked("Cookie", "beta=1", "v2")
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{adopted.Home: platform.Whole}))
	b.must(b.Retire(t.Context(), b.lease, target, v2.ID))
	b.asked("Cookie", "beta=1", "v1")
	if after := b.backendRefs(); strings.Contains(after, v2.ID) || !strings.Contains(before, `"hello"`) {
		t.Errorf("the route leads to %s, before to %s", after, before)
	}
	b.lease.Fence--
	if err := admit(t.Context(), b.lease, target, v2.ID, platform.Match{}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an older lease admits: %v", err)
	}
}
