package host_test

import (
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// readyLimit is the time limit of the services that are ready only when it is over.
const readyLimit = time.Second

// health is how the services answer the readiness check.
func health(mode string) http.HandlerFunc {
	var late atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		bad := mode == "unwell"
		switch left := readyLimit - age(); {
		case mode == "ponderous" && left > 0: // as if the asking process stood still
			<-time.After(left)
			bad = true
		case mode == "sleepy":
			bad = left > 0 || late.Add(1) == 1
		}
		if bad {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// age is that of this process, as the platform sees it.
func age() time.Duration {
	self, _ := process.Identify(os.Getpid())
	started, _ := process.StartedAfterBoot(self)
	now, _ := process.Uptime()
	return now - started
}

func TestAnInstanceFailsOnlyByWhatItWasAskedAfterItsLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the age of a process is known without the clock only on Linux")
	}
	for name, mode := range map[string]string{
		"an early question is answered late":    "ponderous",
		"the first late question is not enough": "sleepy",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.ready(r.revision("v1", mode, with("ready", map[string]any{"path": "/healthz", "timeout": readyLimit.String(), "interval": "10ms"})), 1)
		})
	}
}
