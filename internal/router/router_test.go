package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayhq/fairway/internal/router"
)

func verify(m *testing.M) { goleak.VerifyTestMain(m) }

const target = "shop/production"

// process is a router that runs inside the test.
type process struct {
	*router.Client
	dir  string
	stop func() // tells it to stop and waits until it has
	done chan error
}

// start runs a router on dir until the test ends.
func start(t *testing.T, dir string, change ...func(*router.Config)) *process {
	t.Helper()
	c := router.Config{StateDir: dir, DrainTimeout: 5 * time.Second}
	for _, f := range change {
		f(&c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{Client: router.NewClient(dir), dir: dir, done: make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		p.done <- router.Run(ctx, c)
	}()
	p.stop = func() { cancel(); <-finished }
	t.Cleanup(p.stop)
	ready, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	if err := p.Ready(ready); err != nil {
		select {
		case err = <-p.done:
		default:
		}
		t.Fatalf("the router did not start: %v", err)
	}
	return p
}

// stateDir returns a new directory whose path is short enough for sockets.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "router")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// instance starts a backend that answers with its revision's name.
func instance(t *testing.T, revision string) router.Backend {
	t.Helper()
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, revision)
	}))
}

func serve(t *testing.T, h http.Handler) router.Backend {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return backend(s)
}

func backend(s *httptest.Server) router.Backend {
	return router.Backend{Address: s.Listener.Addr().String(), StartedAt: time.Now().UTC()}
}

// split is a route with two arms; weight is the canary's.
func split(weight int, stable, canary []router.Backend) router.Route {
	return router.Route{
		Fence: 1, Listen: "127.0.0.1:0",
		Arms: []router.Arm{
			{Revision: "v1", Weight: router.Whole - weight, Backends: stable},
			{Revision: "v2", Weight: weight, Backends: canary},
		},
	}
}

// whole is a route with one arm.
func whole(revision string, backends ...router.Backend) router.Route {
	return router.Route{
		Fence: 1, Listen: "127.0.0.1:0",
		Arms: []router.Arm{{Revision: revision, Weight: router.Whole, Backends: backends}},
	}
}

// put puts the route and returns the URL that it answers on.
func (p *process) put(t *testing.T, r router.Route) string {
	t.Helper()
	got, err := p.PutRoute(t.Context(), target, r)
	if err != nil {
		t.Fatalf("put route: %v", err)
	}
	return "http://" + got.Listen
}

// client returns a client with connections of its own.
func client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// fetch returns status and body of a GET.
func fetch(t *testing.T, c *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read %s: %v", url, err)
	}
	return res.StatusCode, strings.TrimSpace(string(body))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		case <-tick.C:
		}
	}
}

func (p *process) arm(t *testing.T, revision string) router.ArmCounters {
	t.Helper()
	c, err := p.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Routes[target].Arms[revision]
}
