package upgrade

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/test/program"
)

var (
	releases = flag.Int("releases", 20, "how many releases run while server and worker are replaced")
	from     = flag.String("from", "", "the build that is replaced; without it, today's code under another version")
)

// Server and worker are replaced while releases are at every point of their canaries, and
// every release ends as it would have: good ones at home, bad ones taken back.
func TestRollingServerAndWorkerChangesNoOutcome(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute of real processes")
	}
	f := newFleet(t, *releases)
	f.ship("v1", func(int) string { return "shop" }, "[deploy]")
	f.await(time.Minute, "v1")
	f.ship("v2", func(n int) string {
		if bad(n) {
			return "bad"
		}
		return "good"
	}, "[{canary: {margin: {errors: 20pp, latency: 1000%}, budget: 1000, block: 1s, warmUp: 1s, firstWeight: 20%, every: 1s, dwell: 1s, observation: 3m, minimumSamples: 20}}, "+
		"{watch: {for: 5s, holdback: 20%, margin: {errors: 20pp, latency: 1000%}, block: 1s, warmUp: 1s, minimumSamples: 20}}]")

	f.under(5)
	server := f.stop(f.server)
	f.server = f.follow(f.server)
	f.ready()
	f.under(8)
	worker := f.stop(f.worker)
	if *from == "" { // before that was so, leases had to run out
		f.nothingLeased()
	}
	f.worker = f.follow(f.worker, "second")
	t.Logf("server gone after %s, worker after %s", server.Round(10*time.Millisecond), worker.Round(10*time.Millisecond))

	f.await(time.Duration(3+*releases/10)*time.Minute, "v2")
	for n := range *releases {
		r := f.release(n, "v2")
		want := "succeeded"
		if bad(n) {
			want = "rolled-back"
		}
		if string(r.State) != want {
			t.Errorf("%s ended %s, not %s: %s", r.ID, r.State, want, f.why(r.ID))
		}
		if v, err := f.api.Verify(t.Context(), r.ID); err != nil || !v.OK {
			t.Errorf("the chain of %s: %v %s", r.ID, err, v.Broken)
		}
	}
}

// bad is every fourth release.
func bad(n int) bool { return n%4 == 3 }

// fleet are the services, and the server and the worker that release them.
type fleet struct {
	t              *testing.T
	dir            string
	size           int
	api            *client.Client
	url            string
	server, worker *program.Program
}

func newFleet(t *testing.T, size int) *fleet {
	dir, err := os.MkdirTemp("", "fairway-upgrade-") // a short path, for its sockets
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, dir: dir, size: size}
	f.make("fairway-next", "./cmd/fairway", "-X github.com/fairwayhq/fairway/internal/app.version=next")
	first := *from
	if first == "" {
		first = f.build("fairway-before")
		f.make("fairway-before", "./cmd/fairway", "-X github.com/fairwayhq/fairway/internal/app.version=before")
	}
	f.make("shop", "./examples/shop", "-X main.baseErrorRate=0 -X main.version=v1")
	f.make("good", "./examples/shop", "-X main.baseErrorRate=0 -X main.version=v2")
	f.make("bad", "./examples/shop", "-X main.errorRate=1 -X main.version=bad")
	f.start(first)
	return f
}

func (f *fleet) build(name string) string { return filepath.Join(f.dir, name) }

func (f *fleet) make(name, pkg, ldflags string) {
	f.t.Helper()
	cmd := exec.Command("go", "build", "-ldflags", ldflags, "-o", f.build(name), pkg)
	cmd.Dir = "../.."
	if output, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("build %s: %v\n%s", pkg, err, output)
	}
}

func (f *fleet) start(fairway string) {
	t := f.t
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", firstPort-1)
	f.url = "http://" + address
	f.server = &program.Program{Name: "server", Path: fairway, Dir: f.dir, Env: os.Environ(),
		Args: []string{"server", "--data-dir", f.build("server-data"), "--listen", address, "--no-worker"}}
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	f.ready()
	secret, err := os.ReadFile(f.build("server-data/admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	if f.api, err = client.New(client.Config{URL: f.url, Token: strings.TrimSpace(string(secret))}); err != nil {
		t.Fatal(err)
	}
	made, err := f.api.AddToken(t.Context(), client.NewToken{Name: "w1", Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.build("worker-token"), []byte(made.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	f.worker = &program.Program{Name: "worker", Path: fairway, Dir: f.dir, Env: os.Environ(),
		Args: []string{"worker", "--server", f.url, "--token-file", f.build("worker-token"), "--data-dir", f.build("worker-data"), "--name", "first"}}
	if err := f.worker.Start(); err != nil {
		t.Fatal(err)
	}
}

// stop stops a program as a person would, and returns how long that took.
func (f *fleet) stop(p *program.Program) time.Duration {
	f.t.Helper()
	began := time.Now()
	if !p.Stop(15 * time.Second) {
		f.t.Errorf("%s did not stop by itself:\n%s", p.Name, p.Tail(20))
	}
	return time.Since(began)
}

// follow starts the next build in the place of a program that has stopped, under another
// name where one is given: its last argument.
func (f *fleet) follow(p *program.Program, name ...string) *program.Program {
	f.t.Helper()
	args := append(append([]string(nil), p.Args[:len(p.Args)-len(name)]...), name...)
	next := &program.Program{Name: p.Name + "-next", Path: f.build("fairway-next"), Dir: p.Dir, Env: p.Env, Args: args}
	if err := next.Start(); err != nil {
		f.t.Fatal(err)
	}
	return next
}

func (f *fleet) end() {
	f.worker.Kill()
	f.server.Kill()
	stop := exec.Command(f.build("fairway-next"), "host", "stop", "--yes", "--data-dir", f.build("worker-data"))
	if output, err := stop.CombinedOutput(); err != nil {
		f.t.Errorf("ending the services: %v\n%s", err, output)
	}
	if f.t.Failed() {
		f.t.Logf("the server said:\n%s\nthe worker said:\n%s", f.server.Tail(30), f.worker.Tail(30))
	}
	if err := os.RemoveAll(f.dir); err != nil {
		f.t.Error(err)
	}
}

func (f *fleet) ready() {
	f.t.Helper()
	f.until(30*time.Second, "the server is ready", func() bool {
		res, err := http.Get(f.url + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

const firstPort = 17201

// ship ships one release of each service, and begins with its users where it is the first.
func (f *fleet) ship(version string, artifact func(n int) string, stages string) {
	f.t.Helper()
	for n := range f.size {
		definition := fmt.Sprintf("service: s%d\nexpect: {rate: 25/s, errors: 0.2%%}\nhost: {run: $ARTIFACT -port $PORT, listen: \"127.0.0.1:%d\", ready: {path: /healthz, interval: 100ms}, drain: 100ms}\nenvironments:\n  - name: production\n    stages: %s\n", n, firstPort+n, stages)
		file := f.build("fairway.yaml")
		if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
			f.t.Fatal(err)
		}
		cmd := exec.Command(f.build("fairway-next"), "ship", "-f", file, "--artifact", f.build(artifact(n)), "--version", version, "--server", f.url)
		cmd.Env = append(os.Environ(), "FAIRWAY_DATA_DIR="+f.build("server-data"))
		if output, err := cmd.CombinedOutput(); err != nil {
			f.t.Fatalf("ship: %v\n%s", err, output)
		}
		if version != "v1" {
			continue
		}
		users, err := load.New(load.Config{URL: fmt.Sprintf("http://127.0.0.1:%d/", firstPort+n), Rate: 25})
		if err != nil {
			f.t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { users.Run(ctx); close(done) }()
		f.t.Cleanup(func() { stop(); <-done })
	}
}

func (f *fleet) release(n int, version string) client.ReleaseDetail {
	f.t.Helper()
	r, err := f.api.Release(f.t.Context(), fmt.Sprintf("s%d@%s", n, version))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// await waits until all releases of the version have ended.
func (f *fleet) await(limit time.Duration, version string) {
	f.t.Helper()
	open := ""
	defer func() {
		if open != "" {
			f.t.Logf("%s has not ended:\n%s", open, f.why(open))
		}
	}()
	f.until(limit, "all releases of "+version+" have ended", func() bool {
		open = ""
		for n := range f.size {
			if r := f.release(n, version); !r.State.Final() {
				open = r.ID
			}
		}
		return open == ""
	})
}

// under waits until so many releases have told that they have traffic.
func (f *fleet) under(most int) {
	f.t.Helper()
	f.until(2*time.Minute, "releases are in their canaries", func() bool {
		busy := 0
		for n := range f.size {
			if strings.Contains(f.why(f.release(n, "v2").ID), "of the traffic") {
				busy++
			}
		}
		return busy >= min(most, f.size)
	})
}

// nothingLeased checks that the worker has given all back: the server has stages, and
// nobody holds one.
func (f *fleet) nothingLeased() {
	f.t.Helper()
	res, err := http.Get(f.url + "/metrics")
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var waiting, leased int
	for _, line := range strings.Split(string(text), "\n") {
		_, _ = fmt.Sscanf(line, `fairway_tasks{environment="production",state="leased"} %d`, &leased)
		_, _ = fmt.Sscanf(line, `fairway_tasks{environment="production",state="waiting"} %d`, &waiting)
	}
	if leased > 0 || waiting < 5 {
		f.t.Errorf("after the worker has stopped %d stages wait for another, and %d for their leases to run out", waiting, leased)
	}
}

// why is what the release's history says.
func (f *fleet) why(id string) string {
	events, err := f.api.Events(f.t.Context(), id, 0, 100)
	if err != nil {
		return err.Error()
	}
	var said []string
	for _, e := range events.Items {
		said = append(said, e.Text)
	}
	return strings.Join(said, "\n")
}

func (f *fleet) until(limit time.Duration, what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("it did not come to this: %s", what)
		}
	}
}
