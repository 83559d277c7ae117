package router_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/router"
)

// TestMain also is the router in a process of its own, when told so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ROUTER_TEST_DIR"); dir != "" {
		if err := router.Run(context.Background(), router.Config{StateDir: dir}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	verify(m)
}

// spawn runs a router as a process of its own until the test ends.
func spawn(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROUTER_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := router.NewClient(dir).Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestARouterThatDoesNotAnswerIsNotGone(t *testing.T) {
	dir := stateDir(t)
	c := router.NewClient(dir)
	if _, err := c.Health(t.Context()); !router.Gone(err) {
		t.Errorf("before the first start: %v", err)
	}
	cmd := spawn(t, dir)
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var err error
	eventually(t, "it stands still", func() bool { // the signal takes a moment
		brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = c.Health(brief)
		return err != nil
	})
	if router.Gone(err) {
		t.Errorf("while it stands still: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := c.Health(t.Context()); !router.Gone(err) {
		t.Errorf("after a crash: %v", err)
	}
}

func TestHandOverUnderLoadFailsNoRequestAndLosesNoCount(t *testing.T) {
	const requests = 2000
	dir := stateDir(t)
	p := &process{Client: router.NewClient(dir), dir: dir}
	cmd := spawn(t, dir)
	slow := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		time.Sleep(3 * time.Millisecond) // so that requests are in flight at every instant
		fmt.Fprint(w, "v1")
	}))
	url := p.put(t, whole("v1", slow))
	l, err := load.New(load.Config{
		URL: url, Rate: 500, Requests: requests, Timeout: time.Minute, Method: "POST", Body: []byte("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan load.Report, 1)
	go func() { reports <- l.Run(t.Context()) }()
	watched := watchCounters(t, p)
	for i := range 4 {
		eventually(t, "some more load", func() bool { return l.Report().Requests > int64(i+1)*requests/6 })
		next := spawn(t, dir)
		if err := cmd.Wait(); err != nil {
			t.Errorf("hand-over %d: the old process ended with %v", i, err)
		}
		cmd = next
	}
	r := <-reports
	if r.Failed != 0 || r.Requests != requests {
		t.Errorf("%d of %d requests failed: %v %v", r.Failed, r.Requests, r.Transport, r.Status)
	}
	eventually(t, "all requests are over", func() bool { return p.arm(t, "v1").Inflight == 0 })
	if epochs := watched(); epochs != 1 {
		t.Errorf("%d epochs of counters, want 1", epochs)
	}
	if n := p.arm(t, "v1"); n.Requests != requests || n.Errors.Total() != 0 || n.Aborted != 0 {
		t.Errorf("counted %d requests, errors %+v, %d aborted", n.Requests, n.Errors, n.Aborted)
	}
}

// watchCounters reads the counters all the time and fails the test when they go
// backwards. The function that it returns ends it and tells how many epochs it saw.
func watchCounters(t *testing.T, p *process) func() int {
	ctx, cancel := context.WithCancel(t.Context())
	done, epochs := make(chan struct{}), map[string]bool{}
	go func() {
		defer close(done)
		var last int64
		for ctx.Err() == nil {
			c, err := p.Counters(ctx)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("read counters: %v", err)
				}
				return
			}
			epochs[c.Epoch] = true
			n := c.Routes[target].Arms["v1"].Requests
			if n < last {
				t.Errorf("the counters went from %d to %d", last, n)
			}
			last = n
		}
	}()
	return func() int { cancel(); <-done; return len(epochs) }
}

func TestAnIdleConnectionMovesToTheNewProcess(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	url := first.put(t, whole("v1", instance(t, "v1")))
	c := dial(t, url)
	r := bufio.NewReader(c)
	ask := func() string {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	ask()
	second := start(t, dir)
	if err := <-first.done; err != nil {
		t.Fatalf("the first process ended with %v", err)
	}
	for range 3 {
		if got := ask(); got != "v1" {
			t.Errorf("got %q after the move", got)
		}
	}
	eventually(t, "both processes' requests are counted", func() bool { return second.arm(t, "v1").Requests == 4 })
}

func TestATunnelOutlivesTheHandOver(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(c, rw)
	}))
	c := dial(t, first.put(t, whole("v1", b)))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	eventually(t, "the new process tells of the old one's tunnel", func() bool {
		n, err := second.Inflight(t.Context(), target)
		return err == nil && n[b.Address] == 1
	})
	io.WriteString(c, "still here")
	got := make([]byte, 10)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "still here" {
		t.Errorf("got %q (%v)", got, err)
	}
	c.Close()
	<-first.done
	eventually(t, "nothing is in flight", func() bool {
		n, err := second.Inflight(t.Context(), target)
		return err == nil && n[b.Address] == 0
	})
}

func TestAnHTTP2ClientSurvivesTheHandOver(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	url, c := first.put(t, whole("v1", instance(t, "v1"))), h2c(t)
	ended := make(chan struct{})
	go func() { defer close(ended); start(t, dir); <-first.done }()
	for i := 0; ; i++ {
		if status, body := fetch(t, c, url); status != 200 || body != "v1" {
			t.Fatalf("request %d got %d %q", i, status, body)
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}

func TestAfterAKillTheTableIsServedAgain(t *testing.T) {
	dir := stateDir(t)
	cmd := spawn(t, dir)
	p := &process{Client: router.NewClient(dir), dir: dir}
	r := whole("v1", instance(t, "v1"))
	r.Fence = 7
	url := p.put(t, r)
	before, err := p.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	spawn(t, dir)
	if _, body := fetch(t, client(t), url); body != "v1" {
		t.Errorf("got %q after the restart", body)
	}
	if got, err := p.Route(t.Context(), target); err != nil || got.Fence != 7 {
		t.Errorf("the fence is %d (%v)", got.Fence, err)
	}
	if after, err := p.Counters(t.Context()); err != nil || after.Epoch == before.Epoch {
		t.Errorf("the counters began anew in the same epoch (%v)", err)
	}
}

func TestAnOrderlyRestartKeepsTheCounters(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	url := first.put(t, whole("v1", instance(t, "v1")))
	fetch(t, client(t), url)
	eventually(t, "counted", func() bool { return first.arm(t, "v1").Requests == 1 })
	before, _ := first.Counters(t.Context())
	first.stop()
	second := start(t, dir)
	after, err := second.Counters(t.Context())
	if err != nil || after.Epoch != before.Epoch || second.arm(t, "v1").Requests != 1 {
		t.Errorf("the counters were not kept: %+v (%v)", second.arm(t, "v1").Counts, err)
	}
}

func TestATornTableGivesTheLastGoodCopy(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	r := whole("v1", instance(t, "v1"))
	url := first.put(t, r)
	r.Listen = strings.TrimPrefix(url, "http://")
	first.put(t, r)
	first.stop()
	path := filepath.Join(dir, "table.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	if _, body := fetch(t, client(t), url); body != "v1" {
		t.Errorf("got %q from the last good copy", body)
	}
	h, err := second.Health(t.Context())
	if err != nil || h.OK || !strings.Contains(strings.Join(h.Warnings, " "), path) {
		t.Errorf("the health is %+v (%v), want a warning that names %s", h, err, path)
	}
	second.stop()
	for _, name := range []string{"table.json", "table.last.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err = router.Run(t.Context(), router.Config{StateDir: dir})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("two torn tables gave %v, want an error that names %s", err, path)
	}
}

func TestAnAddressThatIsTakenComesBack(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	url := first.put(t, whole("v1", instance(t, "v1")))
	first.stop()
	l, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	if h, err := second.Health(t.Context()); err != nil || h.OK {
		t.Errorf("the health is %+v (%v), want a warning", h, err)
	}
	l.Close()
	eventually(t, "the address is served", func() bool {
		h, err := second.Health(t.Context())
		return err == nil && h.OK
	})
	if _, body := fetch(t, client(t), url); body != "v1" {
		t.Errorf("got %q", body)
	}
}

func TestTheOldProcessFollowsTheNewTable(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir)
	v1 := instance(t, "v1")
	release := make(chan struct{})
	stays := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	}))
	r := whole("v1", stays)
	url, c := first.put(t, r), h2c(t)
	// An open stream keeps the HTTP/2 connection, and so the old process, alive.
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	second := start(t, dir)
	eventually(t, "the new process knows of the stream", func() bool {
		n, err := second.Inflight(t.Context(), target)
		return err == nil && n[stays.Address] == 1
	})
	r.DrainTimeout = time.Millisecond
	second.put(t, r)
	second.put(t, whole("v1", v1))
	// The old process has seen the change: it cut the departed instance's stream.
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the old process still serves by the old table")
	}
	close(release)
	<-first.done
}
