package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
	"github.com/fairwayhq/fairway/test/postgres"
)

const (
	sharedWorkers = 4
	// tasksAtOnce is how many tasks each worker has at the same time (--parallel), and how
	// many of them may be jobs (--parallel-jobs).
	tasksAtOnce = 25
	// sharedStages is how many jobs a release of the shared part goes through before it
	// is deployed; each passed one is a transition, which ends one stage and begins the next.
	sharedStages = 20
	// linesPerStage is how many lines of the ledger each of them makes: begun and passed.
	linesPerStage = 2
)

// shared is what servers on one PostgreSQL do together.
type shared struct {
	one, two float64 // transitions per second
	// ofOne and ofTwo are the same where each server may use only so much of a core.
	ofOne, ofTwo float64
	share        int // of a core, in percent
}

// measureShared drives releases through real server processes on a real PostgreSQL, by
// worker processes whose jobs take no time.
func measureShared(ctx context.Context, c config, dir string) (s shared, err error) {
	if s.one, err = sharedRate(ctx, c, filepath.Join(dir, "one"), 1, 0); err != nil {
		return s, err
	}
	if s.two, err = sharedRate(ctx, c, filepath.Join(dir, "two"), 2, 0); err != nil {
		return s, err
	}
	s.share = c.share
	if s.ofOne, err = sharedRate(ctx, c, filepath.Join(dir, "slow-one"), 1, c.share); err != nil {
		return s, err
	}
	s.ofTwo, err = sharedRate(ctx, c, filepath.Join(dir, "slow-two"), 2, c.share)
	return s, err
}

// sharedRate returns transitions per second with so many servers, each of which may use
// that share of a core in percent; 0 is as much as there is.
func sharedRate(ctx context.Context, c config, dir string, servers, share int) (float64, error) {
	cluster := filepath.Join(dir, "postgres")
	if err := os.MkdirAll(cluster, 0o755); err != nil {
		return 0, err
	}
	db, err := postgres.Start(cluster, "shared_buffers=256MB", "max_wal_size=2GB")
	if err != nil {
		return 0, err
	}
	defer db.Stop()
	url, err := db.Create("fairway")
	if err != nil {
		return 0, err
	}
	var all []*fleet.Server
	for i := range servers {
		s := &fleet.Server{Fairway: c.fairway, Dir: filepath.Join(dir, fmt.Sprint("server", i)), Database: url}
		if _, err := s.Start(ctx); err != nil {
			return 0, err
		}
		defer s.Stop()
		if share > 0 {
			lift, err := limitCPU(s.PID(), share)
			if err != nil {
				return 0, err
			}
			defer lift()
		}
		all = append(all, s)
	}
	token, err := all[0].Token()
	if err != nil {
		return 0, err
	}
	releases := c.shared
	if share > 0 {
		releases = max(100, c.shared/4)
	}
	return carryOut(ctx, db, url, all, token, releases)
}

// carryOut makes the releases while all lanes are frozen, and times how long the workers
// then take for them.
func carryOut(ctx context.Context, db *postgres.Server, url string, servers []*fleet.Server, token string, releases int) (float64, error) {
	api, err := client.New(client.Config{URL: servers[0].URL(), Token: token})
	if err != nil {
		return 0, err
	}
	freeze, err := api.Freeze(ctx, client.NewFreeze{Reason: "until all releases are there"})
	if err != nil {
		return 0, err
	}
	if err := createJobs(ctx, api, releases); err != nil {
		return 0, err
	}
	made, err := api.AddToken(ctx, client.NewToken{Name: "workers", Worker: true})
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	var workers []*exec.Cmd
	defer func() {
		stop()
		for _, w := range workers {
			_ = w.Wait()
		}
	}()
	for i := range sharedWorkers {
		w, err := fleet.Worker(ctx, fmt.Sprint("worker-", i), servers[i%len(servers)].URL(), made.Secret, io.Discard)
		if err != nil {
			return 0, err
		}
		workers = append(workers, w)
	}
	used := func() (sums [3]time.Duration) {
		for _, s := range servers {
			sums[0] += fleet.CPU(s.PID())
		}
		sums[1] = fleet.CPU(db.PID())
		for _, w := range workers {
			sums[2] += fleet.CPU(w.Process.Pid)
		}
		return sums
	}
	before := used()
	// The first releases move while the lanes of the last are still frozen.
	unfrozen := make(chan error, 1)
	go func() { unfrozen <- api.Unfreeze(ctx, freeze.ID) }()
	rate, err := rateOf(ctx, db, url, releases*sharedStages)
	after := used()
	err = errors.Join(err, <-unfrozen)
	each := func(i int) float64 {
		return float64((after[i] - before[i]).Microseconds()) / float64(releases*sharedStages) / 0.9
	}
	fmt.Printf("  %d servers: %.0f transitions/s; processor time of each: %.0f µs in the servers, %.0f µs in PostgreSQL, %.0f µs in the workers\n",
		len(servers), rate, each(0), each(1), each(2))
	return rate, err
}

// rateOf waits until so many stages have passed and returns how many passed per second
// between a tenth and nine tenths of them, when all workers are at work.
func rateOf(ctx context.Context, db *postgres.Server, url string, stages int) (float64, error) {
	var from, to time.Time
	var first, last int
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		// A run's part of the ledger grows by so much with each stage.
		var lines int
		if err := db.Scan(ctx, url, &lines, "SELECT sum(seq) FROM runs"); err != nil {
			return 0, err
		}
		passed := lines / linesPerStage
		if from.IsZero() && passed >= stages/10 {
			from, first = time.Now(), passed
		}
		if passed >= stages*9/10 {
			to, last = time.Now(), passed
			return float64(last-first) / to.Sub(from).Seconds(), nil
		}
	}
	return 0, errors.New("the releases did not come to their end within five minutes")
}

const jobsDefinition = `service: service-%d
host: {run: ./shop, listen: "127.0.0.1:%d"}
environments:
  - name: production
    stages: [%s, deploy]
`

func createJobs(ctx context.Context, api *client.Client, n int) error {
	jobs := strings.Join(slices.Repeat([]string{`{job: {run: "true"}}`}, sharedStages), ", ")
	const callers = 8
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for k := i; k < n && errs[i] == nil; k += callers {
				_, errs[i] = api.Create(ctx, client.NewRelease{
					Definition: fmt.Sprintf(jobsDefinition, k, 10_000+k, jobs), Version: "v1",
					Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064x", k),
				}, fmt.Sprint("key", k))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// instant carries out whatever it is given, in no time.
type instant struct{}

func (instant) Tick(context.Context, stage.Task) (stage.Outcome, error) {
	return stage.Outcome{Status: stage.Passed, State: json.RawMessage(`{}`), Reason: "done"}, nil
}

// asWorker is what a worker process of the shared part does.
func asWorker(ctx context.Context, name, url string) error {
	api, err := client.New(client.Config{URL: url, Token: os.Getenv("FAIRWAY_TOKEN")})
	if err != nil {
		return err
	}
	w := worker.New(worker.Config{
		Name: name, Server: api, Parallel: tasksAtOnce, ParallelJobs: tasksAtOnce,
		Executors: map[pipeline.Kind]stage.Executor{pipeline.KindJob: instant{}, pipeline.KindDeploy: instant{}},
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return w.Run(ctx)
}
