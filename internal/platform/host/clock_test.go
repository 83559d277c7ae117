package host_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

func TestAClockThatJumpsHarmsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the age of a process is known without the clock only on Linux")
	}
	r := newRig(t)
	var jump atomic.Int64
	r.Platform = r.open(host.Config{Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }})
	r.keep(r.Platform)
	late := r.revision("late", "silent")
	r.place(late, 1)
	jump.Store(int64(24 * time.Hour))
	if s, _ := r.observe().Revision(late.ID); s.Instances[0].Failed {
		t.Errorf("a jump forward made it late: %s", s.Instances[0].Message)
	}
	v1 := r.revision("v1", "ok")
	r.ready(v1, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	for _, back := range []time.Duration{0, -24 * time.Hour} {
		was, _ := r.observe().Revision(v1.ID)
		r.kill(v1.ID)
		jump.Store(int64(back))
		eventually(t, 10*time.Second, "the crashed instance is back although the clock went back", func() bool {
			s, _ := r.observe().Revision(v1.ID)
			return s.Ready() == 1 && s.Instances[0].Restarts == was.Instances[0].Restarts+1
		})
	}
}
