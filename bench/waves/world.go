package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

// The error rates of what is released.
const (
	healthy = 0.002
	harmful = 0.03
)

// world is the server and the regions.
type world struct {
	c     config
	store *store.SQLite
	drive *drive.Drive
	waves []int
	n     int
	stop  func()

	mu     sync.Mutex
	random *rand.Rand
	// errors are the rates of revisions; traffic is who has users in a target, touched who
	// ever had.
	errors  map[string]float64
	traffic map[string]string
	touched map[string]map[string]bool
	// changed is when users last went from one revision to another anywhere.
	changed time.Time

	reports, waited atomic.Int64
}

// shipped is a release that has come to an end.
type shipped struct {
	id       string
	revision map[string]string // by target
	wave     map[string]int
	state    pipeline.RunState
	took     time.Duration
}

func newWorld(ctx context.Context, c config, dir string) (*world, error) {
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "waves.db")})
	if err != nil {
		return nil, err
	}
	w := &world{c: c, store: st, waves: []int{1, 9, c.regions / 5, c.regions - 10 - c.regions/5},
		random: rand.New(rand.NewPCG(c.seed, 0)), errors: map[string]float64{}, traffic: map[string]string{}, touched: map[string]map[string]bool{}}
	w.drive = drive.New(drive.Config{Store: st.Drive(), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = w.drive.Run(ctx) })
	for i := range 4 {
		running.Go(func() { w.work(ctx, fmt.Sprint("w", i), &running) })
	}
	w.stop = func() { cancel(); running.Wait() }
	return w, nil
}

func (w *world) close() {
	w.stop()
	_ = w.store.Close()
}

// plan is that of a new release, in four waves of growing size.
func (w *world) plan() (*pipeline.Plan, error) {
	var regions, waves []string
	for i, n := range w.waves {
		var wave []string
		for range n {
			wave = append(wave, fmt.Sprintf("r%d", len(regions)))
			regions = append(regions, wave[len(wave)-1])
		}
		if waves = append(waves, "["+strings.Join(wave, ", ")+"]"); i == len(w.waves)-1 {
			waves[i] = "rest"
		}
	}
	text := fmt.Sprintf(`service: shop
supersede: false
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    regions: [%s]
    waves: [%s]
    stages:
      - canary: {margin: {errors: 1pp}}
      - promote
`, strings.Join(regions, ", "), strings.Join(waves, ", "))
	def, faults := pipeline.Parse("fairway.yaml", []byte(text))
	if len(faults) > 0 {
		return nil, faults
	}
	w.n++
	return pipeline.Compile(def, pipeline.Request{Version: fmt.Sprint("v", w.n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064x", w.n)})
}

// release ships a revision with that rate of errors and waits for the end.
func (w *world) release(ctx context.Context, errors float64) (shipped, error) {
	plan, err := w.plan()
	if err != nil {
		return shipped{}, err
	}
	s := shipped{id: fmt.Sprintf("r%06d", w.n), revision: map[string]string{}, wave: map[string]int{}}
	w.mu.Lock()
	for i := range plan.Environments {
		e := &plan.Environments[i]
		target := drive.TargetOf(plan, e.Name).String()
		s.revision[target], s.wave[target] = plan.Revision(e), e.Wave()
		w.errors[plan.Revision(e)] = errors
	}
	w.mu.Unlock()
	began := time.Now()
	rel := release.Release{ID: s.id, Service: plan.Service, Digest: plan.Component.Digest, Author: "anna", PlanHash: plan.Hash(), CreatedAt: began}
	committed := func() {}
	err = w.store.Release().Update(ctx, func(tx release.Tx) (err error) {
		if err := tx.AddRelease(rel, plan, pipeline.NewRun(plan, "anna", began)); err != nil {
			return err
		}
		committed, err = w.drive.Start(tx, s.id, "anna")
		return err
	})
	if err != nil {
		return s, err
	}
	committed()
	s.state, err = w.end(ctx, s.id)
	s.took = time.Since(began)
	return s, err
}

// end waits until the release has ended.
func (w *world) end(ctx context.Context, id string) (pipeline.RunState, error) {
	changed, stop := w.drive.Changed()
	defer stop()
	for {
		run, err := w.run(ctx, id)
		if err != nil || run.State.Final() {
			return run.State, err
		}
		for until := time.After(200 * time.Millisecond); until != nil; {
			select {
			case <-ctx.Done():
				return run.State, ctx.Err()
			case <-changed:
			case <-until:
				until = nil
			}
		}
	}
}

func (w *world) run(ctx context.Context, id string) (run pipeline.Run, err error) {
	err = w.store.Drive().View(ctx, func(tx drive.Tx) error {
		rec, err := tx.LoadRun(id)
		run = rec.Run
		return err
	})
	return run, err
}

// takeBack takes a release back everywhere, and tells how long after the wish its last user
// was back, and all had been cleared away.
func (w *world) takeBack(ctx context.Context, s shipped) (traffic, end time.Duration, err error) {
	began := time.Now()
	if err := w.drive.Apply(ctx, s.id, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"}); err != nil {
		return 0, 0, err
	}
	state, err := w.end(ctx, s.id)
	if err != nil {
		return 0, 0, err
	}
	if left := w.left(s); left > 0 || state != pipeline.RunRolledBack {
		return 0, 0, fmt.Errorf("%s is %s and has users in %d regions", s.id, state, left)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed.Sub(began), time.Since(began), nil
}

// reached is the last wave in which the release ever had users.
func (w *world) reached(s shipped) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := 0
	for target, revision := range s.revision {
		if w.touched[target][revision] {
			last = max(last, s.wave[target])
		}
	}
	return last
}

// left is in how many regions the release still has users.
func (w *world) left(s shipped) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for target, revision := range s.revision {
		if w.traffic[target] == revision {
			n++
		}
	}
	return n
}

// size is what the last release takes in the store, in bytes.
func (w *world) size(ctx context.Context) (s struct{ run, plan float64 }, err error) {
	run, err := w.run(ctx, fmt.Sprintf("r%06d", w.n))
	if err != nil {
		return s, err
	}
	plan, err := run.Plan.Encode()
	if err != nil {
		return s, err
	}
	s.run, s.plan = float64(len(remember(run))), float64(len(plan))
	return s, nil
}
