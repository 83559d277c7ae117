package host_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

func TestARevisionComesServesAndGoes(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 2)
	r.route(platform.Weights{v1.ID: platform.Whole})
	if status, body, err := r.get("/"); err != nil || status != http.StatusOK || body != v1.ID {
		t.Fatalf("through the router: %d %q %v", status, body, err)
	}
	if home := r.observe().Home; home != v1.ID {
		t.Errorf("home is %q, not %q", home, v1.ID)
	}
	v2 := r.revision("v2", "ok")
	r.ready(v2, 1)
	r.route(platform.Weights{v2.ID: platform.Whole})
	before := r.records()
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	s := r.observe()
	if _, there := s.Revision(v1.ID); there || len(s.Revisions) != 1 || s.Home != v2.ID {
		t.Errorf("after the retirement: %+v", s)
	}
	gone := 0
	for _, f := range before {
		if !running(f.PID) {
			gone++
		}
	}
	if gone != 2 {
		t.Errorf("%d of 2 processes are gone", gone)
	}
	r.ready(v1, 1) // a retired revision can be placed again
}

func TestACrashAfterReadinessIsMendedAndTrafficGoesOn(t *testing.T) {
	r := newRig(t)
	r.keep(r.Platform)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 2)
	r.route(platform.Weights{v1.ID: platform.Whole})
	route, err := r.client.Route(t.Context(), shop.String())
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = r.get("/crash")
	eventually(t, 10*time.Second, "two ready instances, one of them restarted", func() bool {
		s, _ := r.observe().Revision(v1.ID)
		return s.Ready() == 2 && s.Instances[0].Restarts+s.Instances[1].Restarts == 1
	})
	eventually(t, 10*time.Second, "both instances in the table", func() bool {
		now, err := r.client.Route(t.Context(), shop.String())
		return err == nil && len(now.Arms[0].Backends) == 2 && now.Generation > route.Generation &&
			now.Fence == route.Fence && now.Arms[0].Weight == platform.Whole
	})
	for range 20 {
		if status, body, err := r.get("/"); err != nil || status != http.StatusOK || body != v1.ID {
			t.Fatalf("after the crash: %d %q %v", status, body, err)
		}
	}
}

func TestAServiceThatIgnoresSIGTERMIsKilled(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "stubborn", with("stopTimeout", "200ms"))
	r.ready(v1, 1)
	pid := r.records()[0].PID
	begin := time.Now()
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("killed after %s, before its time was over", took)
	}
	if running(pid) {
		t.Error("it still runs")
	}
}

func TestRetireLetsRequestsFinish(t *testing.T) {
	r := newRig(t)
	v1, v2 := r.revision("v1", "ok"), r.revision("v2", "ok")
	r.ready(v1, 1)
	r.ready(v2, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	answer := make(chan string, 1)
	go func() {
		_, body, err := r.get("/slow")
		answer <- body + errText(err)
	}()
	eventually(t, 5*time.Second, "the slow request under way", func() bool {
		n, err := r.client.Inflight(t.Context(), shop.String())
		sum := int64(0)
		for _, v := range n {
			sum += v
		}
		return err == nil && sum == 1
	})
	r.route(platform.Weights{v2.ID: platform.Whole})
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "slow answer" {
		t.Errorf("the request in flight got %q", got)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestANewWorkerAdoptsWhatRuns(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 2)
	r.route(platform.Weights{v1.ID: platform.Whole})
	before := r.records()

	r.Platform = r.open(hostConfig())
	r.keep(r.Platform)
	r.ready(v1, 2)
	after := r.records()
	for n := range before {
		if before[n].PID != after[n].PID {
			t.Errorf("instance %d was process %d and is %d", n, before[n].PID, after[n].PID)
		}
	}
	if err := syscall.Kill(before[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the killed instance restarted by the new worker", func() bool {
		s, _ := r.observe().Revision(v1.ID)
		return s.Ready() == 2 && r.records()[0].PID != before[0].PID
	})
}

func TestResizingDownDrainsTheSurplus(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 3)
	r.route(platform.Weights{v1.ID: platform.Whole})
	r.place(v1, 1)
	s := r.awaitReady(v1.ID, 1)
	if len(s.Instances) != 1 || len(r.records()) != 1 {
		t.Errorf("still %d instances and %d records", len(s.Instances), len(r.records()))
	}
	route, err := r.client.Route(t.Context(), shop.String())
	if err != nil || len(route.Arms[0].Backends) != 1 {
		t.Errorf("the table has %+v, %v", route.Arms, err)
	}
}

func TestADaemonThatLeavesItsSessionIsSweptAway(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "daemon")
	r.place(v1, 1)
	if message := r.failed(v1.ID); !strings.Contains(message, "exited with status 0 before it was ready") {
		t.Errorf("message: %s", message)
	}
	port := r.records()[0].Port
	eventually(t, 5*time.Second, "the daemon answers", func() bool { return answersOn(port) })
	if err := r.Retire(t.Context(), r.lease, shop, v1.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the daemon is gone", func() bool { return !answersOn(port) })
}

func TestTheFenceIsCheckedOnDiskAndInTheTable(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	old, newer := r.lease, platform.Lease{Fence: 9, Holder: "newer"}
	if err := r.Place(t.Context(), newer, shop, v1, platform.Capacity{Instances: 1}); err != nil {
		t.Fatal(err)
	}
	route, err := r.client.Route(t.Context(), shop.String())
	if err != nil || route.Fence != 9 {
		t.Fatalf("the table's fence is %d, %v", route.Fence, err)
	}
	// A state folder that was lost or restored does not let the old lease in again.
	if err := os.Remove(r.path("target.json")); err != nil {
		t.Fatal(err)
	}
	if err := r.Route(t.Context(), old, shop, platform.Weights{v1.ID: platform.Whole}); !errors.Is(err, platform.ErrFenced) {
		t.Errorf("route with the old fence: %v", err)
	}
}
