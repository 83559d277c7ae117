package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

const (
	// driftEvery is how often all Deployments are looked at: ten times as often as without
	// the option, so that more rounds fall into a release.
	driftEvery = 30 * time.Second
	// leastLooks is how often each must have been looked at, with nothing else going on and
	// again beside a release.
	leastLooks = 2
	// changedByHand is how many Deployments a person changes.
	changedByHand = 3
	// shippedAtOnce is how many of the neighbours are released at the same time.
	shippedAtOnce = 20
	// lookedWithin is how long the looks are waited for.
	lookedWithin = 5 * time.Minute
)

// measureMany measures the memory of the worker, and of what it has started, while it
// releases to many Deployments, whose pods are on a simulated node, and then looks at them for
// drift, alone and beside a release.
func measureMany(ctx context.Context, r *rig.Rig, c config) ([]bar.Bar, error) {
	if err := r.Cluster.StartHollowNode(ctx); err != nil {
		return nil, err
	}
	crowd, err := r.OpenCrowd(ctx, "shop", c.many)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%d Deployments are ready\n", c.many)
	memory := watchMemory(r.Worker)
	err = releaseAndWatch(ctx, r, c, crowd, memory)
	resident := memory.most()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("resident_%d_deployments", c.many)
	return []bar.Bar{bar.AtMost(name, megabytes(resident), "MB", 200)}, nil
}

func releaseAndWatch(ctx context.Context, r *rig.Rig, c config, crowd *rig.Crowd, memory *memory) error {
	if err := shipCrowd(ctx, r, c, crowd); err != nil {
		return err
	}
	fmt.Printf("the worker had %.0f MB at most\n", megabytes(memory.peak.Load()))
	team, err := r.Open(ctx, rig.TeamOptions{Name: "shop", First: rig.V1, Rate: c.rate, Autoscaled: true})
	if err != nil {
		return err
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	return watchCrowd(ctx, r, c, crowd, team)
}

// shipCrowd makes the Deployments Fairway's.
func shipCrowd(ctx context.Context, r *rig.Rig, c config, crowd *rig.Crowd) error {
	began := time.Now()
	if err := crowd.Ship(ctx, shippedAtOnce); err != nil {
		return err
	}
	took := time.Since(began)
	requests, err := countRequests(ctx, r, began, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("%d releases of theirs, %d at once: %.0f s, %.0f API requests each\n",
		c.many, shippedAtOnce, took.Seconds(), float64(requests)/float64(c.many))
	return nil
}

// watchCrowd lets the watch for drift go on, first alone and then beside a release of the
// team while people change some Deployments, and sees that it has seen all there is to see.
func watchCrowd(ctx context.Context, r *rig.Rig, c config, crowd *rig.Crowd, team *rig.Team) error {
	began := time.Now()
	alone := newLooks(crowd, began)
	if err := alone.untilAll(ctx, c.many); err != nil {
		return err
	}
	requests, err := countRequests(ctx, r, began, time.Now())
	if err != nil {
		return err
	}
	if len(alone.drifted) > 0 {
		return fmt.Errorf("drift was seen where nobody had changed anything: %v", alone.drifted)
	}
	fmt.Printf("%d looks alone: a round takes %.1f s, %.2f API requests a look\n",
		alone.count(), alone.longest().Seconds(), float64(requests)/float64(alone.count()))

	var changed []string
	for i := range changedByHand {
		name, err := crowd.Change(ctx, (2*i+1)*c.many/(2*changedByHand))
		if err != nil {
			return err
		}
		changed = append(changed, name)
	}
	beside := newLooks(crowd, time.Now())
	if err := releaseBeside(ctx, team, beside); err != nil {
		return err
	}
	if err := beside.untilAll(ctx, c.many); err != nil {
		return err
	}
	fmt.Printf("%d looks beside a release: a round takes %.1f s at most; drift was found in %v\n",
		beside.count(), beside.longest().Seconds(), beside.drifted)
	if slices.Sort(changed); !slices.Equal(changed, beside.drifted) {
		return fmt.Errorf("people have changed %v, and drift was found in %v", changed, beside.drifted)
	}
	return nil
}

// releaseBeside releases a good version and notes the looks meanwhile.
func releaseBeside(ctx context.Context, team *rig.Team, looks *looks) error {
	ended := make(chan struct{})
	var g result
	var err error
	go func() {
		defer close(ended)
		g, err = release(ctx, team, rig.V2)
	}()
	noted := looks.until(ctx, ended)
	<-ended
	switch {
	case err != nil:
		return err
	case g.state != pipeline.RunSucceeded:
		return fmt.Errorf("the good version is %s: %s", g.state, g.reason)
	}
	return noted
}

// countRequests counts what the worker has asked of the API server, without watches.
func countRequests(ctx context.Context, r *rig.Rig, from, to time.Time) (n int, err error) {
	// What was answered is written down a moment later.
	if err := pause(ctx, time.Second); err != nil {
		return 0, err
	}
	all, err := r.Cluster.Requests(rig.User, from, to)
	for _, q := range all {
		if q.Verb != "watch" {
			n++
		}
	}
	return n, err
}
