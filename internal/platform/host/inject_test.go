package host_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

func TestAFaultComesAndGoesWithItsRevision(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	drill := r.revision("v1", "ok")
	drill.ID = "drill"
	drill.Fault = &platform.Fault{Errors: 1, Until: time.Now().Add(time.Hour)}
	if err := r.Injects(*drill.Fault); err != nil {
		t.Fatal(err)
	}
	r.ready(drill, 1)
	struck := func() (n int) {
		for range 40 {
			status, _, err := r.get("/")
			if err != nil {
				t.Fatal(err)
			}
			if status == http.StatusServiceUnavailable {
				n++
			}
		}
		return n
	}
	r.route(platform.Weights{v1.ID: platform.Whole / 2, drill.ID: platform.Whole / 2})
	if n := struck(); n == 0 || n == 40 {
		t.Errorf("%d of 40 requests were struck at half of the traffic", n)
	}
	if seen, _ := r.observe().Revision(drill.ID); seen.Revision.Fault == nil || seen.Revision.Fault.Errors != 1 || !seen.Revision.Fault.Until.Equal(drill.Fault.Until) {
		t.Errorf("it is observed with the fault %+v", seen.Revision.Fault)
	}
	if err := r.Route(t.Context(), r.lease, shop, platform.Weights{drill.ID: platform.Whole}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("all the traffic for the drill: %v", err)
	}
	r.route(platform.Weights{v1.ID: platform.Whole})
	if n := struck(); n != 0 {
		t.Errorf("%d requests were struck after the drill", n)
	}
	if home := r.observe().Home; home != v1.ID {
		t.Errorf("home is %s", home)
	}
}

func TestAFaultWhoseTimeIsOverIsNotPutIntoTheTable(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	late := r.revision("v2", "ok")
	late.Fault = &platform.Fault{Slower: 1, Until: time.Now().Add(-time.Second)}
	r.ready(late, 1)
	r.route(platform.Weights{v1.ID: platform.Whole / 2, late.ID: platform.Whole / 2})
	route, err := r.client.Route(t.Context(), shop.String())
	if err != nil {
		t.Fatal(err)
	}
	if arm, _ := route.Arm(late.ID); arm.Weight == 0 || arm.Fault != nil {
		t.Errorf("its arm is %+v", arm)
	}
}

func TestAFaultThatCannotBeDoneIsRefused(t *testing.T) {
	r := newRig(t)
	for _, f := range []platform.Fault{{}, {Errors: 2, Until: time.Now()}, {Errors: 0.5}, {Slower: 1e300, Until: time.Now()}, {Delay: time.Hour, Until: time.Now()}} {
		bad := r.revision("v1", "ok")
		bad.Fault = &f
		err := r.Place(t.Context(), r.lease, shop, bad, platform.Capacity{Instances: 1})
		if fault.CodeOf(err) != fault.Invalid || fault.CodeOf(r.Injects(f)) != fault.Invalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
