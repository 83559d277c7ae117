package app

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
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

	wantRouter   sync.Once
	routerWanted chan struct{} // closed when somebody needs the router
	routerLooked chan struct{} // closed when keepRouter has seen to it for the first time, or has ended
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
	h := &hostParts{
		dir: dir, log: log, clock: clock, router: router.NewClient(filepath.Join(dir, "router")), truth: newTruth(dir),
		routerWanted: make(chan struct{}), routerLooked: make(chan struct{}),
	}
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
		Source:   h.openSource,
	})
}

func (h *hostParts) openSource(m pipeline.Metrics) (metric.Source, error) {
	if m.Prometheus == nil {
		h.needRouter()
	}
	return openSource(m, h.router)
}

// respondent answers the inquiries that reach this worker.
func (h *hostParts) respondent(worker string) inquiry.Respondent {
	return inquiry.Respondent{Worker: worker, Platform: h.openPlatform, Repositories: h.truth, Log: h.log}
}

// openPlatform opens a platform for a target; the router is up for that of the host.
func (h *hostParts) openPlatform(name string, settings json.RawMessage) (platform.Platform, error) {
	switch name {
	case "host":
		h.needRouter()
		return seamOfPlatform(h.platform), nil
	case "kubernetes":
		return h.clusters.Open(settings)
	}
	return nil, fault.Errorf(fault.Invalid, "this worker has no platform %q", name).WithHint("it has: host, kubernetes")
}
