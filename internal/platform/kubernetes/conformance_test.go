package kubernetes_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/platformtest"
	"github.com/fairwayhq/fairway/internal/process"
)

func TestConformance(t *testing.T) {
	r := newRig(t)
	for by, fresh := range map[string]func(*testing.T) *place{"by a route": r.newPlace, "by pods": r.newPlaceByPods} {
		t.Run(by, func(t *testing.T) { conform(t, fresh) })
	}
}

func conform(t *testing.T, fresh func(*testing.T) *place) {
	platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
		t.Parallel() // each is alone in its namespace, and mostly waits
		p := fresh(t)
		return platformtest.Fixture{
			Platform: p.open(t, p.clusters), Target: target,
			Reopen: func(t *testing.T) platform.Platform { return p.open(t, p.newClusters(t)) },
			Good: func(version string) platform.Revision {
				return p.revision("r-00000000000"+version[1:], map[string]string{"HELLO_VERSION": "r-00000000000" + version[1:]})
			},
			NeverReady: func() platform.Revision {
				return p.revision("r-never0000000", map[string]string{"HELLO_READY": "never"})
			},
			CannotStart: func() platform.Revision {
				return p.revision("r-cannot000000", map[string]string{"HELLO_EXIT": "no disk"})
			},
			Crash:    p.crash,
			Serving:  p.serving,
			Lag:      5 * time.Second,
			Patience: time.Minute,
		}
	})
}

// serving asks until the gateway has heard of the last change, and then counts.
func (p *place) serving(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		answer, err := p.ask("/")
		if err == nil {
			return answer
		}
		if process.Wait(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("nobody answers: %v", err)
		}
	}
}

// crash makes one pod end with an error.
func (p *place) crash(t *testing.T, revision string) {
	s, err := p.open(t, p.clusters).Observe(t.Context(), platform.Target{})
	if err != nil {
		t.Fatal(err)
	}
	state, _ := s.Revision(revision)
	client := &http.Client{Transport: p.Transport()}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + state.Instances[0].Address + "/crash")
	if err == nil {
		answer.Body.Close()
		t.Fatalf("the pod answers %s", answer.Status)
	}
}
