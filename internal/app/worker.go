package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
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
	Log            *slog.Logger
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
	w := worker.New(worker.Config{
		Name: c.Name, Environments: c.Environments, Server: server, Executors: host.executors(), Log: c.Log,
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
	parts.run("worker", func() error { return w.Run(ctx) })
	return parts.wait()
}
