package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/postgres"
)

// rig is everything that runs.
type rig struct {
	c       config
	db      *postgres.Server
	url     string
	servers []*fleet.Server
	workers []*exec.Cmd
	said    []*bytes.Buffer // by each worker, at its end
	stop    context.CancelFunc
}

// begin starts all, makes the releases, and returns once each of them has been ticked.
func begin(ctx context.Context, c config, dir string) (r *rig, err error) {
	r = &rig{c: c, stop: func() {}}
	defer func() {
		if err != nil {
			r.end()
		}
	}()
	cluster := filepath.Join(dir, "postgres")
	if err := os.MkdirAll(cluster, 0o755); err != nil {
		return nil, err
	}
	if r.db, err = postgres.Start(cluster, "shared_buffers=256MB", "max_wal_size=2GB"); err != nil {
		return nil, err
	}
	if r.url, err = r.db.Create("fairway"); err != nil {
		return nil, err
	}
	for i := range servers {
		s := &fleet.Server{Fairway: c.fairway, Dir: filepath.Join(dir, fmt.Sprint("server", i)), Database: r.url}
		if _, err := s.Start(ctx); err != nil {
			return nil, err
		}
		r.servers = append(r.servers, s)
	}
	token, err := r.servers[0].Token()
	if err != nil {
		return nil, err
	}
	api, err := client.New(client.Config{URL: r.servers[0].URL(), Token: token})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := create(ctx, api, c.releases); err != nil {
		return nil, err
	}
	fmt.Printf("made %d releases in %s\n", c.releases, time.Since(began).Round(time.Second))
	made, err := api.AddToken(ctx, client.NewToken{Name: "workers", Worker: true})
	if err != nil {
		return nil, err
	}
	began = time.Now()
	if err := r.startWorkers(ctx, made.Secret); err != nil {
		return nil, err
	}
	if err := r.allTicked(ctx); err != nil {
		return nil, err
	}
	fmt.Printf("all are in the workers' hands after %s\n", time.Since(began).Round(time.Second))
	return r, nil
}

const definition = `service: service-%d
host: {run: ./shop, listen: "127.0.0.1:%d"}
environments:
  - name: production
    stages: [canary, promote]
`

func create(ctx context.Context, api *client.Client, n int) error {
	const callers = 8
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for k := i; k < n && errs[i] == nil; k += callers {
				_, errs[i] = api.Create(ctx, client.NewRelease{
					Definition: fmt.Sprintf(definition, k, 10_000+k%50_000), Version: "v1",
					Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064x", k),
				}, fmt.Sprint("key", k))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (r *rig) startWorkers(ctx context.Context, token string) error {
	ctx, r.stop = context.WithCancel(ctx)
	for i := range workers {
		said := &bytes.Buffer{}
		w, err := fleet.Worker(ctx, fmt.Sprint("worker-", i), r.servers[i%servers].URL(), token, said,
			"-every", r.c.every.String(), "-parallel", fmt.Sprint((r.c.releases+workers-1)/workers+spare))
		if err != nil {
			return err
		}
		r.workers, r.said = append(r.workers, w), append(r.said, said)
	}
	return nil
}

// allTicked waits until a tick of each release has been reported.
func (r *rig) allTicked(ctx context.Context) error {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		var n int
		if err := r.db.Scan(ctx, r.url, &n, "SELECT count(*) FROM tasks WHERE reported > 0"); err != nil {
			return err
		}
		if n == r.c.releases {
			return nil
		}
	}
	return errors.New("not all releases were ticked within ten minutes")
}

// stopWorkers ends the workers and adds up what they did.
func (r *rig) stopWorkers() (sum ticks, err error) {
	r.stop()
	for i, w := range r.workers {
		if err := w.Wait(); err != nil && !errors.Is(err, context.Canceled) { // we ended it
			return sum, fmt.Errorf("worker %d: %w", i, err)
		}
		var one ticks
		if err := json.Unmarshal(r.said[i].Bytes(), &one); err != nil {
			return sum, fmt.Errorf("worker %d said %q: %w", i, r.said[i], err)
		}
		sum.All, sum.Held, sum.Took = sum.All+one.All, sum.Held+one.Held, max(sum.Took, one.Took)
	}
	r.workers = nil
	return sum, nil
}

// end ends what still runs.
func (r *rig) end() {
	r.stop()
	for _, w := range r.workers {
		_ = w.Wait()
	}
	for _, s := range r.servers {
		s.Stop()
	}
	if r.db != nil {
		r.db.Stop()
	}
}
