package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/router"
)

// disturbance is something that happens while the load runs and that no request
// may notice. It returns when it is over.
type disturbance struct {
	name string
	run  func(ctx context.Context, d *deployed) error
}

// disturbances are played in turn until the load is over. The restarts of
// other processes are in stack.go.
var disturbances = []disturbance{
	{"deploy", deploy},
	{"hand the router over", handOver},
	{"roll back", rollBack},
	{"hand the router over", handOver},
}

// deployed is a service behind the router.
type deployed struct {
	dir     string
	cpu     int
	process *process
	client  *router.Client
	route   router.Route
	version int
	current *service
}

const target = "bench/deploys"

// failedRequests plays deploys, roll-backs and hand-overs under 500 requests a
// second and counts what fails.
func failedRequests(ctx context.Context, o options) ([]bar.Bar, error) {
	d := &deployed{dir: filepath.Join(o.dir, "deploys"), cpu: -1}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	defer func() { d.process.stop(); d.current.stop() }()
	l, err := load.New(load.Config{URL: "http://" + d.route.Listen + "/", Rate: 500, Requests: o.requests})
	if err != nil {
		return nil, err
	}
	reports := make(chan load.Report, 1)
	go func() { reports <- l.Run(ctx) }()
	played := map[string]int{}
	for i := 0; ; i++ {
		select {
		case r := <-reports:
			return d.verdict(ctx, r, played, o.requests)
		default:
		}
		step := disturbances[i%len(disturbances)]
		if err := step.run(ctx, d); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		played[step.name]++
	}
}

func (d *deployed) begin(ctx context.Context) (err error) {
	if d.process, d.client, err = startRouter(ctx, d.cpu, d.dir, nil); err != nil {
		return err
	}
	d.version = 1
	if d.current, err = startService("v1"); err != nil {
		return err
	}
	d.route, err = d.client.PutRoute(ctx, target, router.Route{
		Fence: 1, Listen: "127.0.0.1:0", Arms: []router.Arm{arm("v1", router.Whole, d.current)},
	})
	return err
}

func (d *deployed) verdict(ctx context.Context, r load.Report, played map[string]int, wanted int64) ([]bar.Bar, error) {
	c, err := d.client.Counters(ctx)
	if err != nil {
		return nil, err
	}
	var counted, errors int64
	for _, a := range c.Routes[target].Arms {
		counted, errors = counted+a.Requests+a.Aborted, errors+a.Errors.Total()
	}
	fmt.Printf("%d requests in %.0f s over %v; %d failed %v; the router counted %d, %d failed\n",
		r.Requests, r.Seconds, played, r.Failed, r.Transport, counted, errors)
	if r.Requests < wanted {
		return nil, fmt.Errorf("only %d of %d requests were sent", r.Requests, wanted)
	}
	return []bar.Bar{bar.AtMost("failed_requests_router", float64(r.Failed), "requests", 0)}, nil
}

// deploy brings the next version up, moves the traffic to it by levels, and
// takes the old one away once nothing is in flight on it.
func deploy(ctx context.Context, d *deployed) error { return d.replace(ctx, router.Whole) }

// rollBack brings a version up, gives it half the traffic, and takes it back.
func rollBack(ctx context.Context, d *deployed) error { return d.replace(ctx, 0) }

func (d *deployed) replace(ctx context.Context, last int) error {
	d.version++
	canary, err := startService(fmt.Sprint("v", d.version))
	if err != nil {
		return err
	}
	stable := d.route.Arms[0].Revision
	revision := fmt.Sprint("v", d.version)
	for _, weight := range []int{50_000, 250_000, 500_000, last} {
		err := d.put(ctx, arm(stable, router.Whole-weight, d.current), arm(revision, weight, canary))
		if err != nil {
			return err
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	keep, drop := canary, d.current
	if last == 0 {
		keep, drop, revision = d.current, canary, stable
	}
	if err := d.put(ctx, arm(revision, router.Whole, keep)); err != nil {
		return err
	}
	d.current = keep
	return d.retire(ctx, drop)
}

func (d *deployed) put(ctx context.Context, arms ...router.Arm) (err error) {
	d.route.Arms = arms
	d.route, err = d.client.PutRoute(ctx, target, d.route)
	return err
}

// retire ends an instance that has left the table, once it is drained.
func (d *deployed) retire(ctx context.Context, s *service) error {
	for {
		n, err := d.client.Inflight(ctx, target)
		if err != nil {
			return err
		}
		if n[s.backend.Address] == 0 {
			s.stop()
			return nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func handOver(ctx context.Context, d *deployed) (err error) {
	d.process, d.client, err = startRouter(ctx, d.cpu, d.dir, d.process)
	return err
}

func arm(revision string, weight int, s *service) router.Arm {
	return router.Arm{Revision: revision, Weight: weight, Backends: []router.Backend{s.backend}}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
