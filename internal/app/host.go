package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/internal/sealed"
	"github.com/fairwayhq/fairway/internal/stage"
)

// hostParts is what a worker needs on its machine: the platform, the router, which is
// a process of its own that outlives this one, and the commands, which do too.
type hostParts struct {
	dir      string
	log      *slog.Logger
	clock    *clock
	router   *router.Client
	platform *host.Platform
	clusters *kubernetes.Clusters
	commands *command.Commands
	truth    truth
}

// hostConfig is what a worker is made with.
type hostConfig struct {
	dataDir string
	log     *slog.Logger
	clock   *clock
	// keyFile has the keys that open values of Secrets; empty has none.
	keyFile string
}

func newHost(c hostConfig) (*hostParts, error) {
	log, clock := c.log, c.clock
	dir, err := filepath.Abs(c.dataDir)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the data folder %s has no absolute path: %w", c.dataDir, err)
	}
	keys, err := readOpeningKeys(c.keyFile, log)
	if err != nil {
		return nil, err
	}
	h := &hostParts{dir: dir, log: log, clock: clock, router: router.NewClient(filepath.Join(dir, "router")), truth: newTruth(dir)}
	h.platform, err = host.New(host.Config{
		StateDir: filepath.Join(dir, "host"), Router: h.router, Log: log, Now: clock.Now,
	})
	if err != nil {
		return nil, err
	}
	h.clusters = kubernetes.New(kubernetes.Config{UserAgent: "fairway/" + Version(), Log: log, Now: clock.Now, Keys: keys})
	h.commands, err = command.Open(command.Config{Folder: filepath.Join(dir, "commands"), Now: clock.Now})
	return h, err
}

// readOpeningKeys reads a worker's keys; without a file it has none.
func readOpeningKeys(file string, log *slog.Logger) (sealed.Keys, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the opening key cannot be read: %w", err).
			WithHint("`fairway key --out FILE` makes one")
	}
	keys, err := sealed.ParseOpeningKeys(string(text))
	if err != nil {
		return nil, fault.Errorf(fault.CodeOf(err), "%s: %w", file, err).WithHint("%s", fault.HintOf(err))
	}
	// A group may well read it: so pods that are not root get their Secrets.
	if about, err := os.Stat(file); err == nil && about.Mode().Perm()&0o007 != 0 {
		log.Warn("Everybody on this machine may use the file with the opening key.", "file", file, "mode", about.Mode().Perm().String())
	}
	return keys, nil
}

func (h *hostParts) executors() map[pipeline.Kind]stage.Executor {
	return stage.Executors(stage.Deps{
		Now:      h.clock.Now,
		Platform: h.openPlatform,
		Truth:    h.truth,
		Commands: seamOfCommands(h.commands),
		Source:   func(m pipeline.Metrics) (metric.Source, error) { return openSource(m, h.router) },
	})
}

// respondent answers the inquiries that reach this worker.
func (h *hostParts) respondent(worker string) inquiry.Respondent {
	return inquiry.Respondent{Worker: worker, Platform: h.openPlatform, Repositories: h.truth, Log: h.log}
}

// openPlatform opens a platform for a target.
func (h *hostParts) openPlatform(name string, settings json.RawMessage) (platform.Platform, error) {
	switch name {
	case "host":
		return seamOfPlatform(h.platform), nil
	case "kubernetes":
		return h.clusters.Open(settings)
	}
	return nil, fault.Errorf(fault.Invalid, "this worker has no platform %q", name).WithHint("it has: host, kubernetes")
}

// routerLook is how often the worker looks whether the router lives.
const routerLook = time.Second

// keepRouter starts the router when there is none, and again when it is gone. One that
// is alive and does not answer, as on a machine that stands still, is left alone: a
// second one could only take over with its help.
func (h *hostParts) keepRouter(ctx context.Context) error {
	unlock, err := h.tend(syscall.LOCK_SH)
	switch {
	case errors.Is(err, process.ErrLocked):
		return fault.Errorf(fault.Conflict, "`fairway host stop` ends what runs in %s", h.dir).WithHint("start again when it has ended")
	case err != nil: // on a full disk users are served all the same
		h.log.Error("Nobody is kept from stopping this host meanwhile.", "error", err)
	default:
		defer unlock()
	}
	for silent := false; ; {
		_, err := h.router.Health(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			silent = false
		case router.Gone(err):
			silent = false
			h.bringUpRouter(ctx)
		case !silent:
			silent = true
			h.log.Error("The router did not answer.", "error", err)
		}
		timer := time.NewTimer(routerLook)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (h *hostParts) bringUpRouter(ctx context.Context) {
	if err := h.startRouter(); err != nil {
		h.log.Error("The router could not be started.", "error", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = h.router.Ready(ctx)
}

// startRouter starts a router in a session of its own, so that the end of this
// process never touches users' traffic. Two that start at once agree by the
// router's own lock.
func (h *hostParts) startRouter() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(h.dir, "router"), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(h.dir, "router", "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(self, "router", "--state-dir", filepath.Join(h.dir, "router"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // reap it if it ends before this process
	h.log.Info("The router was started.", "pid", cmd.Process.Pid)
	return nil
}
