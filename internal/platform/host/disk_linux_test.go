package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

func TestAFullDiskLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk can only be mounted by root")
	}
	r := newRig(t)
	state := filepath.Join(r.dir, "host")
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { r.killAll(); _ = syscall.Unmount(state, syscall.MNT_DETACH) })
	v1, v2 := r.revision("v1", "ok"), r.revision("v2", "ok")
	r.ready(v1, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	filler := filepath.Join(state, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	r.lease.Fence++
	err := r.Place(t.Context(), r.lease, shop, v2, platform.Capacity{Instances: 1})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(fault.HintOf(err), "free some space") {
		t.Errorf("place on a full disk: %q %v", fault.CodeOf(err), err)
	}
	if s := r.observe(); len(s.Revisions) != 1 || s.Revisions[0].Ready() != 1 || s.Weights[v1.ID] != platform.Whole {
		t.Errorf("on the full disk the target is %+v", s)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.ready(v2, 1)
	r.route(platform.Weights{v2.ID: platform.Whole})
}
