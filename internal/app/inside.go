package app

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/worker"
)

// runWorker runs the built-in worker.
func (s *server) runWorker(ctx context.Context) error {
	host, err := newHost(hostConfig{dataDir: s.DataDir, log: s.Log, clock: s.clock, keyFile: s.OpeningKeyFile})
	if err != nil {
		return err
	}
	s.parts.after(host.clusters.Close)
	s.parts.run("router", func() error { return host.keepRouter(ctx) })
	s.parts.run("keeper", func() error { host.platform.Keep(ctx); return nil })
	name := s.nameInside()
	w := worker.New(worker.Config{
		Name: name, Environments: s.WorkerEnvironments, Server: s.drive, Executors: host.executors(), Log: s.Log,
		Desk: s.desk, Respond: host.respondent(name).Respond, Now: s.clock.Now,
		Parallel: s.WorkerParallel, ParallelJobs: s.WorkerParallelJobs,
	})
	s.inside.Store(w)
	s.parts.run("worker", func() error { return w.Run(ctx) })
	return nil
}

// nameInside is the built-in worker's name. Servers that share a database have one each, also two
// of one machine, whose data folders differ. It stays when the server is started anew, so
// that the worker gets back what it had.
func (c ServerConfig) nameInside() string {
	if c.Database == "" {
		return "built-in"
	}
	folder := c.DataDir
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	of := fmt.Sprintf("%04x", crc32.ChecksumIEEE([]byte(folder))>>16)
	if machine, err := os.Hostname(); err == nil {
		of = machine + "-" + of
	}
	return "built-in@" + of
}

// free is what the built-in worker has places for.
func (s *server) free() (stages, jobs int) {
	if w := s.inside.Load(); w != nil {
		return w.Free()
	}
	return 0, 0
}
