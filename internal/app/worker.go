package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/certificate"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/telemetry"
	"github.com/fairwayhq/fairway/internal/worker"
)

// WorkerConfig is what a worker process is started with.
type WorkerConfig struct {
	// Server is the server's URL, TokenFile has the worker's token.
	Server, TokenFile string
	// PlainHTTP allows http:// to a server that is not on this machine.
	PlainHTTP bool
	// TLS are the certificates with which the server is spoken to.
	TLS certificate.Files
	// Name must be the worker's own; default: the host's name.
	Name                  string
	Environments, Regions []string
	// Parallel is how many stages it carries at the same time, ParallelJobs how many of them
	// may run a command; 0 is the default.
	Parallel, ParallelJobs int
	// DataDir holds what the host platform needs.
	DataDir string
	// OpeningKeyFile has the keys that open values of Secrets; empty where it has none.
	OpeningKeyFile string
	// MetricsListen is the address of the worker's metrics; empty serves none.
	MetricsListen string
	// MetricsReady is called with that address once it answers; may be nil.
	MetricsReady func(address string)
	Log          *slog.Logger
}

// Worker runs a worker process until ctx ends.
func Worker(ctx context.Context, c WorkerConfig) error {
	saveMemory()
	if c.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return fault.Errorf(fault.Invalid, "the worker has no name: %w", err).WithHint("give one with --name")
		}
		c.Name = name
	}
	clock := newClock(c.Log)
	host, err := newHost(hostConfig{dataDir: c.DataDir, log: c.Log, clock: clock, keyFile: c.OpeningKeyFile})
	if err != nil {
		return err
	}
	defer host.clusters.Close()
	server, err := c.connect()
	if err != nil {
		return err
	}
	journal, err := c.journal()
	if err != nil {
		return err
	}
	metrics, err := listenForMetrics(c.MetricsListen)
	if err != nil {
		return err
	}
	measured := telemetry.NewWorker()
	w := worker.New(worker.Config{
		Name: c.Name, Environments: c.Environments, Regions: c.Regions, Server: measured.Server(server), Executors: host.executors(), Log: c.Log,
		Desk: server, Respond: host.respondent(c.Name).Respond,
		Greeter: measured.Greeter(server), Version: Version(), ClockOff: clock.correct, Now: clock.Now,
		Journal: journal, Parallel: c.Parallel, ParallelJobs: c.ParallelJobs,
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := group{stop: stop}
	parts.run("clock", func() error {
		watchClock(ctx, clock, func(time.Time) error { return nil }) // the server excuses for all
		return nil
	})
	parts.run("router", func() error { return host.keepRouter(ctx) })
	parts.run("keeper", func() error { host.platform.Keep(ctx); return nil })
	if metrics != nil {
		if c.MetricsReady != nil {
			c.MetricsReady(metrics.Addr().String())
		}
		parts.run("metrics", func() error {
			return serveMetrics(ctx, metrics, c.Log, append(telemetry.Places(w.Free), measured, clockGauge(clock), telemetry.Build(Version()))...)
		})
	}
	parts.run("worker", func() error { return w.Run(ctx) })
	return parts.wait()
}

// journal is the folder of what the server has not heard of this worker, for this process
// alone: a second one of the same name would go on with the first one's tasks.
func (c WorkerConfig) journal() (string, error) {
	folder := filepath.Join(c.DataDir, "journal", "worker-"+url.QueryEscape(c.Name))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fault.Errorf(fault.Invalid, "the folder %s cannot be made: %w", folder, err).WithHint("choose another with --data-dir")
	}
	switch err := process.HoldLock(filepath.Join(folder, "lock")); {
	case errors.Is(err, process.ErrLocked):
		return "", fault.Errorf(fault.Conflict, "another worker with the name %s runs in %s", c.Name, c.DataDir).
			WithHint("give this one a name of its own with --name")
	case err != nil:
		return "", fault.Errorf(fault.Unavailable, "the folder %s cannot be locked: %w", folder, err)
	}
	return folder, nil
}

// connect makes the client of the server; it does not connect yet.
func (c WorkerConfig) connect() (*client.Client, error) {
	if err := c.private(); err != nil {
		return nil, err
	}
	token, err := openTokenFile(c.TokenFile, c.Log)
	if err != nil {
		return nil, err
	}
	transport, err := certificate.Transport(c.TLS, func(err error) {
		c.Log.Warn("Changed certificates are not used.", "error", err)
	})
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		URL: c.Server, TokenNow: token.Now, HTTP: &http.Client{Transport: transport}, Agent: "fairway-worker/" + Version(),
	})
}

// private refuses to show the token, and what is released, to everybody on the way.
func (c WorkerConfig) private() error {
	u, err := url.Parse(c.Server)
	if err != nil || u.Scheme != "http" || c.PlainHTTP || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return nil
	}
	return fault.Errorf(fault.Invalid, "the way to %s is not encrypted: everybody on it could read the worker's token", c.Server).
		WithHint("use https://, or --plain-http where the network between is your own")
}
