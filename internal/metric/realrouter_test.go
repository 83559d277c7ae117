package metric

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/router"
)

// TestRealRouter sends requests through a real router and finds them again.
func TestRealRouter(t *testing.T) {
	dir, err := os.MkdirTemp("", "metric") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	client := router.NewClient(dir)
	r, err := NewRouter(client)
	if err != nil {
		t.Fatal(err)
	}
	ask := Ask{Service: "shop", Environment: "production", Region: "eu", Stable: "r1", Canary: "r2", Weight: 0.5, Now: time.Now()}
	if s, _, err := r.Sample(t.Context(), ask, nil); err != nil || !strings.HasPrefix(s.Missing, "the router does not answer: ") {
		t.Errorf("without a router: %q, %v", s.Missing, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- router.Run(ctx, router.Config{StateDir: dir}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the router ended: %v", err)
		}
	})
	if err := client.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, _, err := r.Sample(t.Context(), ask, nil); err != nil || s.Missing != firstLook {
		t.Errorf("without a route: %q, %v", s.Missing, err)
	}

	route := router.Route{Fence: 1, Listen: "127.0.0.1:0", Arms: []router.Arm{
		{Revision: "r1", Weight: router.Whole / 2, Backends: []router.Backend{answering(t, http.StatusOK)}},
		{Revision: "r2", Weight: router.Whole / 2, Backends: []router.Backend{answering(t, http.StatusInternalServerError)}},
	}}
	if route, err = client.PutRoute(t.Context(), ask.Target(), route); err != nil {
		t.Fatal(err)
	}
	_, cursor, err := r.Sample(t.Context(), ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 200
	var failed int64
	for range sent {
		res, err := http.Get("http://" + route.Listen)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			failed++
		}
	}
	// The router counts a request when it is done with it, which may be a moment
	// after the client has read the answer.
	var s judge.Sample
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		ask.Now = time.Now()
		if s, _, err = r.Sample(t.Context(), ask, cursor); err != nil || s.Missing != "" {
			t.Fatalf("missing %q, %v", s.Missing, err)
		}
		if s.Stable.Requests+s.Canary.Requests >= sent || time.Now().After(deadline) {
			break
		}
	}
	if s.Stable.Requests != sent-failed || s.Stable.Errors != 0 || s.Canary.Requests != failed || s.Canary.Errors != failed {
		t.Errorf("%d requests of which %d failed were counted as %+v", sent, failed, s)
	}
	if s.Stable.Latency.Total() != s.Stable.Requests || s.Canary.Latency.Total() != failed || s.Canary.WarmInstances != 1 {
		t.Errorf("latency is %+v", s)
	}
}

func answering(t *testing.T, status int) router.Backend {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	return router.Backend{Address: s.Listener.Addr().(*net.TCPAddr).String(), StartedAt: time.Now()}
}
