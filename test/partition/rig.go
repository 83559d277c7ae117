package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/ports"
	"github.com/fairwayhq/fairway/test/program"
)

// rig is the server, and the cells.
type rig struct {
	o        options
	dir      string
	address  string
	api      *client.Client
	server   *program.Program
	artifact string
	digest   string
	cells    []*cell
}

// newRig builds the programs and starts everything.
func newRig(ctx context.Context, o options) (r *rig, err error) {
	r = &rig{o: o}
	if r.dir, err = os.MkdirTemp("", "fairway-partition-"); err != nil {
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
	random := rand.New(rand.NewPCG(o.seed, 1))
	if err := r.startServer(ctx, random); err != nil {
		return nil, err
	}
	for i := range o.cells {
		c, err := newCell(ctx, r, i, random)
		if c != nil {
			r.cells = append(r.cells, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rig) path(names ...string) string {
	return filepath.Join(append([]string{r.dir}, names...)...)
}

// build builds a Fairway that traces what the verbs of the platform came to.
func (r *rig) build(ctx context.Context) error {
	for _, args := range [][]string{
		{"build", "-tags", "crash,kustomize_disable_go_plugin_support", "-o", r.path("fairway"), "./cmd/fairway"},
		{"build", "-ldflags", "-X main.baseErrorRate=0", "-o", r.path("shop"), "./examples/shop"},
	} {
		if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	r.artifact = r.path("shop")
	content, err := os.ReadFile(r.artifact)
	sum := sha256.Sum256(content)
	r.digest = "sha256:" + hex.EncodeToString(sum[:])
	return err
}

func (r *rig) process(name string, args ...string) *program.Program {
	return &program.Program{
		Name: name, Path: r.path("fairway"), Dir: r.dir, Args: args,
		Env: append(os.Environ(), "FAIRWAY_CRASH_TRACE="+r.path("trace")),
	}
}

func (r *rig) startServer(ctx context.Context, random *rand.Rand) (err error) {
	if r.address, err = ports.Partition.Free(random); err != nil {
		return err
	}
	r.server = r.process("server", "server", "--data-dir", r.path("server"), "--listen", r.address, "--no-worker", "--lease", r.o.lease.String())
	if err := r.server.Start(); err != nil {
		return err
	}
	err = until(ctx, 30*time.Second, "the server is ready", func() bool {
		res, err := http.Get("http://" + r.address + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	if err != nil {
		return err
	}
	token, err := os.ReadFile(r.path("server", "admin-token"))
	if err != nil {
		return err
	}
	r.api, err = client.New(client.Config{URL: "http://" + r.address, Token: strings.TrimSpace(string(token))})
	return err
}

// close ends every process, and looks that none is left.
func (r *rig) close() error {
	for _, c := range r.cells {
		c.close()
	}
	if r.server != nil {
		r.server.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := until(ctx, 20*time.Second, "all processes have ended", func() bool {
		left := r.everyProcess()
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(left) == 0
	})
	if r.o.keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// everyProcess returns the processes that work in the rig's folder or were started with
// its trace: workers, routers and services.
func (r *rig) everyProcess() []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || pid == os.Getpid() {
			continue
		}
		proc := "/proc/" + e.Name() + "/"
		cwd, _ := os.Readlink(proc + "cwd")
		environ, _ := os.ReadFile(proc + "environ")
		if cwd == r.dir || strings.HasPrefix(cwd, r.dir+"/") || strings.Contains(string(environ), "FAIRWAY_CRASH_TRACE="+r.path("trace")) {
			found = append(found, pid)
		}
	}
	return found
}

// until waits for the condition.
func until(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ok() {
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("waited in vain until %s", what)
		}
	}
	return nil
}
