package host_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
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

// contradict answers well only to the second question, and keeps the answer to the
// first until it is told to speak.
func contradict(mux *http.ServeMux) {
	var asked atomic.Int64
	speak := make(chan struct{})
	mux.HandleFunc("GET /contradictory", func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		if n == 1 {
			<-speak
		}
		if n != 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /asked", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, asked.Load()) })
	mux.HandleFunc("GET /speak", func(http.ResponseWriter, *http.Request) { close(speak) })
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

func TestAnInstanceThatAnotherWorkerFoundReadyDoesNotFail(t *testing.T) {
	r := newRig(t)
	v1 := r.revision("v1", "ok", with("ready", map[string]any{"path": "/contradictory", "timeout": "1ms", "interval": "10ms"}))
	r.place(v1, 1)
	service := fmt.Sprintf("http://127.0.0.1:%d", r.records()[0].Port)
	eventually(t, 10*time.Second, "the service listens", func() bool { return said(service+"/asked") == "0" })
	slow := make(chan platform.State, 1)
	go func() {
		s, _ := r.Observe(t.Context(), shop)
		slow <- s
	}()
	eventually(t, 10*time.Second, "the first question", func() bool { return said(service+"/asked") == "1" })
	other := r.open(host.Config{})
	s, err := other.Observe(t.Context(), shop)
	if found, _ := s.Revision(v1.ID); err != nil || found.Ready() != 1 {
		t.Fatalf("the other worker found %+v: %v", found, err)
	}
	said(service + "/speak")
	found, _ := (<-slow).Revision(v1.ID)
	if len(found.Instances) != 1 || found.Instances[0].Failed {
		t.Errorf("it is %+v", found)
	}
}

// said is what is answered, or nothing.
func said(url string) string {
	response, err := once.Get(url)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}
