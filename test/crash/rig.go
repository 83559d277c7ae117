package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/test/postgres"
	"github.com/fairwayhq/fairway/test/program"
)

// rig is the world in which all happens: a server, a worker, a router, the
// services with their users, and who looks after them.
type rig struct {
	o        options
	dir      string
	random   *rand.Rand
	url      string
	api      *client.Client
	server   *program.Program
	second   *program.Program // another server on the same database; nil without one
	database *postgres.Server // nil where the server has a file
	worker   *program.Program
	router   *router.Client
	artifact artifact
	fleet    []*service
	hooks    *hooks
	sampler  *sampler
	traffic  *traffic
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// newRig builds the programs and starts everything.
func newRig(ctx context.Context, o options) (r *rig, err error) {
	r = &rig{o: o, random: seeded(o.seed)}
	if r.dir, err = os.MkdirTemp("", "fairway-crash-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	fmt.Fprintf(o.out, "seed %d, folder %s\n", o.seed, r.dir)
	if err := r.build(ctx); err != nil {
		return nil, err
	}
	if r.hooks, err = listenHooks(); err != nil {
		return nil, err
	}
	if r.fleet, err = newFleet(r); err != nil {
		return nil, err
	}
	if err := r.startAll(ctx); err != nil {
		return nil, err
	}
	r.router = router.NewClient(filepath.Join(r.dir, "worker", "router")) // up with the first release
	return r, nil
}

func (r *rig) build(ctx context.Context) error {
	for _, args := range [][]string{
		{"build", "-tags", "crash,kustomize_disable_go_plugin_support", "-o", r.path("fairway"), "./cmd/fairway"},
		{"build", "-ldflags", "-X main.baseErrorRate=0", "-o", r.path("shop"), "./examples/shop"},
	} {
		if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	var err error
	r.artifact, err = readArtifact(r.path("shop"))
	return err
}

func (r *rig) path(names ...string) string {
	return filepath.Join(append([]string{r.dir}, names...)...)
}

// startAll starts the server, makes a token for the worker, and starts that too.
func (r *rig) startAll(ctx context.Context) error {
	address, err := freeAddress(r.random)
	if err != nil {
		return err
	}
	r.url = "http://" + address
	serves := func(name, address string) []string {
		return []string{"server", "--data-dir", r.path(name), "--listen", address, "--no-worker", "--lease", "3s"}
	}
	if r.o.database == postgreSQL {
		if err := r.startDatabase(); err != nil {
			return err
		}
		url := r.database.URL(databaseName)
		serves = func(name, address string) []string {
			return []string{"server", "--data-dir", r.path(name), "--listen", address, "--no-worker", "--lease", "3s", "--database", url}
		}
	}
	r.server = r.process("server", serves("server", address)...)
	if err := r.server.Start(); err != nil {
		return err
	}
	if err := r.awaitServer(ctx); err != nil {
		return err
	}
	if r.database != nil {
		other, err := freeAddress(r.random)
		if err != nil {
			return err
		}
		r.second = r.process("second", serves("second", other)...)
		if err := r.second.Start(); err != nil {
			return err
		}
	}
	token, err := os.ReadFile(r.path("server", "admin-token"))
	if err != nil {
		return err
	}
	if r.api, err = client.New(client.Config{URL: r.url, Token: strings.TrimSpace(string(token))}); err != nil {
		return err
	}
	made, err := r.api.AddToken(ctx, client.NewToken{Name: "w1", Worker: true})
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.path("worker-token"), []byte(made.Secret), 0o600); err != nil {
		return err
	}
	r.worker = r.process("worker", "worker", "--server", r.url, "--token-file", r.path("worker-token"), "--data-dir", r.path("worker"), "--name", "w1")
	return r.worker.Start()
}

const databaseName = "fairway"

// startDatabase starts PostgreSQL beside the rig's folder, whose processes are counted.
func (r *rig) startDatabase() error {
	dir := r.dir + "-postgres"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var err error
	if r.database, err = postgres.Start(dir); err != nil {
		return err
	}
	_, err = r.database.Create(databaseName)
	return err
}

func (r *rig) awaitServer(ctx context.Context) error {
	return until(ctx, 30*time.Second, "the server is ready", func() (bool, error) {
		res, err := http.Get(r.url + "/readyz")
		if err != nil {
			return false, nil
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK, nil
	})
}

// close ends every process of this rig, and looks that none is left.
func (r *rig) close() error {
	if r.traffic != nil {
		r.traffic.stop()
	}
	if r.sampler != nil {
		r.sampler.stop()
	}
	for _, p := range []*program.Program{r.worker, r.server, r.second} {
		if p != nil {
			p.Kill()
		}
	}
	if r.database != nil {
		r.database.Stop()
	}
	if r.hooks != nil {
		r.hooks.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := until(ctx, 10*time.Second, "all processes have ended", func() (bool, error) {
		left := r.everyProcess()
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(left) == 0, nil
	})
	if r.o.keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(r.dir), os.RemoveAll(r.dir+"-postgres"))
}

// everyProcess returns the processes that work in the rig's folder or were
// started with its trace: server, worker, router, services and jobs.
func (r *rig) everyProcess() []int {
	var found []int
	for _, pid := range pids() {
		if pid == os.Getpid() {
			continue
		}
		proc := fmt.Sprintf("/proc/%d/", pid)
		cwd, _ := os.Readlink(proc + "cwd")
		environ, _ := os.ReadFile(proc + "environ")
		if within(cwd, r.dir) || strings.Contains(string(environ), "FAIRWAY_CRASH_TRACE="+r.path("trace")) {
			found = append(found, pid)
		}
	}
	return found
}

// within says whether the path lies in the folder.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// freeAddress returns an address whose port the system gives to no outgoing
// connection, so that it is still free when the server comes back.
func freeAddress(random *rand.Rand) (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+random.IntN(10_000))); err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", err
}

// until waits for the condition.
func until(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s", what)
		case <-ticker.C:
		}
	}
}
