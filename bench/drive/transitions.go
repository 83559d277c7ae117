package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

const rounds = 5

// stages is how many approvals a measured release goes through: each one given is
// a transition, which ends one stage and begins the next.
const stages = 20

type rate struct{ median, lines float64 }

// transitions drives releases through the real state machine, drive and store.
func transitions(ctx context.Context, c config, dir string) (rate, error) {
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "transitions.db")})
	if err != nil {
		return rate{}, err
	}
	defer st.Close()
	d := drive.New(drive.Config{Store: st.Drive(), Log: quiet()})
	var all []float64
	var lines int64
	var seconds float64
	for round := range rounds {
		ids, err := begin(ctx, st, d, c, round)
		if err != nil {
			return rate{}, err
		}
		before, err := lastLine(ctx, st)
		if err != nil {
			return rate{}, err
		}
		start := time.Now()
		n, err := approveAll(ctx, d, ids)
		if err != nil {
			return rate{}, err
		}
		took := time.Since(start).Seconds()
		after, err := lastLine(ctx, st)
		if err != nil {
			return rate{}, err
		}
		all = append(all, float64(n)/took)
		lines, seconds = lines+after-before, seconds+took
	}
	slices.Sort(all)
	return rate{median: all[len(all)/2], lines: float64(lines) / seconds}, nil
}

// begin stores the releases of one round: so many that each of the parallel ones
// has its share of the events.
func begin(ctx context.Context, st *store.SQLite, d *drive.Drive, c config, round int) ([][]string, error) {
	plan, err := approvals(fmt.Sprint("round", round))
	if err != nil {
		return nil, err
	}
	each := max(1, c.events/rounds/c.parallel/(stages-1))
	ids := make([][]string, c.parallel)
	for i := range ids {
		for n := range each {
			id := fmt.Sprintf("r%d-%d-%d", round, i, n)
			rel := release.Release{ID: id, Service: plan.Service, Digest: plan.Component.Digest, Author: "anna", PlanHash: plan.Hash(), CreatedAt: time.Now()}
			err := st.Release().Update(ctx, func(tx release.Tx) error {
				if err := tx.AddRelease(rel, plan, pipeline.NewRun(plan, "anna", time.Now())); err != nil {
					return err
				}
				_, err := d.Start(tx, id, "anna")
				return err
			})
			if err != nil {
				return nil, err
			}
			ids[i] = append(ids[i], id)
		}
	}
	return ids, nil
}

func approvals(service string) (*pipeline.Plan, error) {
	text := "service: " + service + "\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments:\n  - name: production\n    stages:\n"
	for range stages {
		text += "      - approval: {roles: [sre]}\n"
	}
	text += "      - deploy\n"
	def, faults := pipeline.Parse("bench.yaml", []byte(text))
	if len(faults) > 0 {
		return nil, faults
	}
	return pipeline.Compile(def, pipeline.Request{Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64)})
}

// approveAll lets every parallel caller approve its releases stage by stage, up to
// the last one, and returns how many transitions were acknowledged.
func approveAll(ctx context.Context, d *drive.Drive, ids [][]string) (int64, error) {
	var done atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, len(ids))
	for i, mine := range ids {
		all.Go(func() {
			for range stages - 1 {
				for _, id := range mine {
					ev := pipeline.Event{Kind: pipeline.EventApproved, Actor: "ben", Roles: []string{"sre"}}
					if errs[i] = d.Apply(ctx, id, ev); errs[i] != nil {
						return
					}
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	return done.Load(), errors.Join(errs...)
}

func lastLine(ctx context.Context, st *store.SQLite) (n int64, err error) {
	err = st.Release().View(ctx, func(tx release.Tx) error {
		for {
			lines, last, err := tx.RecentEvents(n, 10_000)
			if err != nil || len(lines) == 0 {
				return err
			}
			n = last
		}
	})
	return n, err
}

// rawCommits is what the store gives at best: one small row per update.
func rawCommits(ctx context.Context, c config, dir string) (float64, error) {
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "raw.db")})
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var all sync.WaitGroup
	errs := make([]error, c.parallel)
	each := c.events / c.parallel
	start := time.Now()
	for i := range c.parallel {
		all.Go(func() {
			for n := 0; n < each && errs[i] == nil; n++ {
				errs[i] = st.Drive().Update(ctx, func(tx drive.Tx) error {
					return tx.PutMessage(drive.Message{ID: fmt.Sprintf("%d-%d", i, n)})
				})
			}
		})
	}
	all.Wait()
	return float64(each*c.parallel) / time.Since(start).Seconds(), errors.Join(errs...)
}
