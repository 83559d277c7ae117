package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/telemetry"
	"github.com/fairwayhq/fairway/internal/worker"
)

// WorkerConfig is what a worker process is started with.
type WorkerConfig struct {
	// Server is the server's URL, Token the worker's token.
	Server, Token string
	// Name must be the worker's own; default: the host's name.
	Name         string
	Environments []string
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
	server, err := client.New(client.Config{URL: c.Server, Token: c.Token})
	if err != nil {
		return err
	}
	metrics, err := listenForMetrics(c.MetricsListen)
	if err != nil {
		return err
	}
	measured := telemetry.NewWorker()
	w := worker.New(worker.Config{
		Name: c.Name, Environments: c.Environments, Server: measured.Server(server), Executors: host.executors(), Log: c.Log,
		Desk: server, Respond: host.respondent(c.Name).Respond,
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
			return serveMetrics(ctx, metrics, c.Log, measured, clockGauge(clock), telemetry.Build(Version()))
		})
	}
	parts.run("worker", func() error { return w.Run(ctx) })
	return parts.wait()
}
