package host_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/platform/platformtest"
)

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
		r := newRig(t)
		r.keep(r.Platform)
		short := with("ready", map[string]any{"path": "/healthz", "timeout": "300ms", "interval": "10ms"})
		return platformtest.Fixture{
			Platform:    r.Platform,
			Target:      shop,
			Reopen:      func(*testing.T) platform.Platform { return r.open(host.Config{}) },
			Good:        func(version string) platform.Revision { return r.revision(version, "ok") },
			NeverReady:  func() platform.Revision { return r.revision("never", "unwell", short) },
			CannotStart: func() platform.Revision { return r.revision("broken", "exit") },
			Crash:       func(_ *testing.T, id string) { r.kill(id) },
			Serving: func(t *testing.T) string {
				_, body, err := r.get("/")
				if err != nil {
					t.Error(err)
				}
				return body
			},
			Patience: 15 * time.Second,
		}
	})
}

// kill ends the first process of the revision.
func (r *rig) kill(id string) {
	r.t.Helper()
	for _, f := range r.records() {
		if strings.Contains(f.path, strings.ReplaceAll(id, "@", "%40")) {
			if err := syscall.Kill(f.PID, syscall.SIGKILL); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("no process of %s", id)
}
