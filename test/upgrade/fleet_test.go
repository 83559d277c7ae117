package upgrade

import (
	"context"
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
	"github.com/fairwayhq/fairway/test/balancer"
	"github.com/fairwayhq/fairway/test/ports"
	"github.com/fairwayhq/fairway/test/postgres"
	"github.com/fairwayhq/fairway/test/program"
)

// fleet are the services, and the servers and the worker that release them.
type fleet struct {
	builds
	t       *testing.T
	dir     string
	size    int
	api     *client.Client
	url     string // of the only server, or of what stands before them
	servers []*program.Program
	worker  *program.Program
}

// newFleet starts so many servers on the PostgreSQL at the URL, or one on a file.
func newFleet(t *testing.T, b builds, servers int, database string) *fleet {
	dir, err := os.MkdirTemp("", "fairway-upgrade-") // a short path, for its sockets
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, builds: b, dir: dir, size: *releases}
	t.Cleanup(f.end)
	f.startServers(b.first, servers, database)
	f.startWorker(b.first)
	return f
}

// database is the URL of an empty database of a PostgreSQL that ends with the test.
func database(t *testing.T) string {
	t.Helper()
	url, err := postgres.ForTest(t).Create("fairway")
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func (f *fleet) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fleet) startServers(fairway string, count int, database string) {
	t := f.t
	t.Helper()
	var addresses []string
	for n := range count {
		address := f.address(n)
		addresses = append(addresses, address)
		server := &program.Program{Name: fmt.Sprint("server", n), Path: fairway, Dir: f.dir, Env: os.Environ(),
			Args: []string{"server", "--data-dir", f.data(n), "--listen", address, "--no-worker"}}
		if database != "" {
			server.Args = append(server.Args, "--database", database)
		}
		f.servers = append(f.servers, server)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		f.ready(n)
	}
	f.url = "http://" + addresses[0]
	if count > 1 {
		before, err := balancer.Start(addresses...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(before.Close)
		f.url = before.URL()
	}
	secret, err := os.ReadFile(filepath.Join(f.data(0), "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	if f.api, err = client.New(client.Config{URL: f.url, Token: strings.TrimSpace(string(secret))}); err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) address(server int) string { return fmt.Sprintf("127.0.0.1:%d", firstPort-1-server) }

func (f *fleet) data(server int) string { return f.path(fmt.Sprintf("server%d-data", server)) }

func (f *fleet) startWorker(fairway string) {
	t := f.t
	t.Helper()
	made, err := f.api.AddToken(t.Context(), client.NewToken{Name: "w1", Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path("worker-token"), []byte(made.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	f.worker = &program.Program{Name: "worker", Path: fairway, Dir: f.dir, Env: os.Environ(),
		Args: []string{"worker", "--server", f.url, "--token-file", f.path("worker-token"), "--data-dir", f.path("worker-data"), "--name", "first"}}
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
	all := f.servers
	if f.worker != nil {
		all = append(all, f.worker)
		f.worker.Kill()
		stop := exec.Command(f.build("fairway-next"), "host", "stop", "--yes", "--data-dir", f.path("worker-data"))
		if output, err := stop.CombinedOutput(); err != nil {
			f.t.Errorf("ending the services: %v\n%s", err, output)
		}
	}
	for _, p := range all {
		p.Kill()
		if f.t.Failed() {
			f.t.Logf("%s said:\n%s", p.Name, p.Tail(30))
		}
	}
	if err := os.RemoveAll(f.dir); err != nil {
		f.t.Error(err)
	}
}

func (f *fleet) ready(server int) {
	f.t.Helper()
	f.until(30*time.Second, "the server is ready", func() bool {
		res, err := http.Get("http://" + f.address(server) + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// firstPort is that of the first service; the servers are before it.
const firstPort = ports.Upgrade + 201

// ship ships one release of each service, and begins with its users where it is the first.
func (f *fleet) ship(version string, artifact func(n int) string, stages string) {
	f.t.Helper()
	for n := range f.size {
		definition := fmt.Sprintf("service: s%d\nexpect: {rate: 25/s, errors: 0.2%%}\nhost: {run: $ARTIFACT -port $PORT, listen: \"127.0.0.1:%d\", ready: {path: /healthz, interval: 100ms}, drain: 100ms}\nenvironments:\n  - name: production\n    stages: %s\n", n, firstPort+n, stages)
		file := f.path("fairway.yaml")
		if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
			f.t.Fatal(err)
		}
		cmd := exec.Command(f.build("fairway-next"), "ship", "-f", file, "--artifact", f.build(artifact(n)), "--version", version, "--server", f.url)
		cmd.Env = append(os.Environ(), "FAIRWAY_DATA_DIR="+f.data(0))
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

// under waits until so many releases are under way and have told that they have traffic. Those
// that have ended do not count: what is replaced next would not have to do with them.
func (f *fleet) under(some int) {
	f.t.Helper()
	busy, ended := 0, 0
	f.until(2*time.Minute, "releases are in their canaries", func() bool {
		busy, ended = 0, 0
		for n := range f.size {
			switch r := f.release(n, "v2"); {
			case r.State.Final():
				ended++
			case strings.Contains(f.why(r.ID), "of the traffic"):
				busy++
			}
		}
		if busy < some && f.size-ended < some {
			f.t.Fatalf("%d of %d releases have ended before the next replacement, which is to come under %d", ended, f.size, some)
		}
		return busy >= some
	})
	f.t.Logf("%d releases are in mid-flight, and %d have ended", busy, ended)
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
