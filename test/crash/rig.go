package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/test/balancer"
	"github.com/fairwayhq/fairway/test/ports"
	"github.com/fairwayhq/fairway/test/postgres"
	"github.com/fairwayhq/fairway/test/program"
)

// rig is the world in which all happens: servers, workers, a router, the
// services with their users, and who looks after them.
type rig struct {
	o        options
	dir      string
	random   *rand.Rand
	api      *client.Client
	servers  []*program.Program // one on a file, or two on one PostgreSQL
	ready    []string           // where each server says whether it is ready
	before   *balancer.Balancer // stands before several servers; nil before one
	database *postgres.Server   // nil where the server has a file
	workers  []*program.Program // of one machine, so they share their data folder
	router   *router.Client
	artifact artifact
	fleet    []*service
	hooks    *hooks
	sampler  *sampler
	traffic  *traffic
	absences []absence // of those who were killed
	turns    []int     // of ten workers' absences, those to come
}

// briefly is how many outcomes each service has with -brief: as many as there are rounds then.
const briefly = 3

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
	if o.brief {
		for _, s := range r.fleet {
			s.outcomes = s.outcomes[:min(briefly, len(s.outcomes))]
		}
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

// startAll starts the servers, makes tokens for the workers, and starts those too.
func (r *rig) startAll(ctx context.Context) error {
	url, err := r.startServers(ctx)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(r.path(r.servers[0].Name, "admin-token"))
	if err != nil {
		return err
	}
	if r.api, err = client.New(client.Config{URL: url, Token: strings.TrimSpace(string(token))}); err != nil {
		return err
	}
	for n := range 2 {
		name := fmt.Sprint("worker-", n+1)
		made, err := r.api.AddToken(ctx, client.NewToken{Name: name, Worker: true})
		if err != nil {
			return err
		}
		secret := r.path(name + "-token")
		if err := os.WriteFile(secret, []byte(made.Secret), 0o600); err != nil {
			return err
		}
		worker := r.process(name, "worker", "--server", url, "--token-file", secret, "--data-dir", r.path("worker"), "--name", name)
		r.workers = append(r.workers, worker)
		if err := worker.Start(); err != nil {
			return err
		}
	}
	return nil
}

// startServers returns the URL at which the server, or one of them, answers everybody.
func (r *rig) startServers(ctx context.Context) (url string, err error) {
	count, more := 1, []string(nil)
	if r.o.database == postgreSQL {
		if err := r.startDatabase(); err != nil {
			return "", err
		}
		count, more = 2, []string{"--database", r.database.URL(databaseName)}
	}
	var addresses []string
	for n := range count {
		address, err := ports.Crash.Free(r.random)
		if err != nil {
			return "", err
		}
		name := fmt.Sprint("server-", n+1)
		args := []string{"server", "--data-dir", r.path(name), "--listen", address, "--no-worker", "--lease", lease.String()}
		server := r.process(name, append(args, more...)...)
		addresses, r.servers, r.ready = append(addresses, address), append(r.servers, server), append(r.ready, "http://"+address+"/readyz")
		if err := server.Start(); err != nil {
			return "", err
		}
		if err := r.awaitServers(ctx); err != nil {
			return "", err
		}
	}
	if count == 1 {
		return "http://" + addresses[0], nil
	}
	if r.before, err = balancer.Start(addresses...); err != nil {
		return "", err
	}
	return r.before.URL(), nil
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

func (r *rig) awaitServers(ctx context.Context) error {
	return until(ctx, 30*time.Second, "all servers are ready", func() (bool, error) {
		for _, url := range r.ready {
			res, err := http.Get(url)
			if err != nil {
				return false, nil
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return false, nil
			}
		}
		return true, nil
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
	for _, p := range slices.Concat(r.workers, r.servers) {
		p.Kill()
	}
	if r.before != nil {
		r.before.Close()
	}
	if r.database != nil {
		r.database.Stop()
	}
	if r.hooks != nil {
		r.hooks.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := until(ctx, 30*time.Second, "all processes have ended", func() (bool, error) {
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
// started with its trace: servers, workers, router, services and jobs.
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
