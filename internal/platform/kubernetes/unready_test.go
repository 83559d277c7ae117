package kubernetes_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// A pod at home that was ready for longer than pods have to become it, and is not for a moment,
// has not failed; once it has, a new lease gives it its time again.
func unreadyAtHome(t *testing.T, p *place) {
	const gate = "fairway.test/gate"
	p.apply(strings.Replace(deployment, "terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 0\n      readinessGates: [{conditionType: "+gate+"}]", 1))
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	home := func(s platform.State) platform.RevisionState { r, _ := s.Revision(s.Home); return r }
	open := func(pod, status string) {
		patch := fmt.Appendf(nil, `{"status": {"conditions": [{"type": %q, "status": %q}]}}`, gate, status)
		b.must(b.API.Do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+p.namespace+"/pods/"+pod+"/status", "application/strategic-merge-patch+json", patch, nil))
	}
	// Until they are found to have failed they have not been ready for longer than they may.
	failed := b.until("its pods fail, as their gate is shut", func(s platform.State) bool {
		all := home(s).Instances
		return len(all) == 2 && all[0].Failed && all[1].Failed
	})
	one := home(failed).Instances[0].ID
	for _, i := range home(failed).Instances {
		open(i.ID, "True")
	}
	b.until("both are ready", func(s platform.State) bool { return home(s).Ready() == 2 })
	open(one, "False")
	state := func(s platform.State) (found platform.Instance) {
		for _, i := range home(s).Instances {
			if i.ID == one {
				found = i
			}
		}
		return found
	}
	lost := b.until("one is not", func(s platform.State) bool { return home(s).Ready() == 1 })
	if state(lost).Failed {
		t.Errorf("at once it has failed: %+v", state(lost))
	}
	again := b.until("it fails once its time is over", func(s platform.State) bool { return state(s).Failed })
	if said := state(again).Message; !strings.HasPrefix(said, "not ready after 8s") {
		t.Errorf("it says %q", said)
	}
	was := home(again).Revision
	b.lease.Fence++
	b.must(b.Place(t.Context(), b.lease, target, was, platform.Capacity{Instances: 2}))
	if s := b.observe(); state(s).Failed || s.Fence != b.lease.Fence {
		t.Errorf("with a new lease it is %+v", state(s))
	}
	began := time.Now()
	b.until("it fails again", func(s platform.State) bool { return state(s).Failed })
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("with a new lease it had %s", took)
	}
}
