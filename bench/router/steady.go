package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fairwayhq/fairway/internal/load"
)

// percentiles are what one measurement of latency comes to, in milliseconds.
type percentiles struct {
	P50, P99, P999 float64
	Failed         int64
}

// steady loads an address at a constant rate, from a process on the load's core.
func steady(ctx context.Context, o options, addr string) (p percentiles, err error) {
	path, err := os.Executable()
	if err != nil {
		return p, err
	}
	cmd := pinned(ctx, o.loadCPU, path, "role", "load", addr, fmt.Sprint(o.seconds, "s"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return p, fmt.Errorf("run the load: %w", err)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		return p, fmt.Errorf("read the load's figures: %w", err)
	}
	if p.Failed > 0 {
		return p, fmt.Errorf("%d requests to %s failed", p.Failed, addr)
	}
	return p, nil
}

// steadyRate is the rate at which the added latency is measured.
const steadyRate = 2000

func playLoad(ctx context.Context, addr, seconds string) error {
	d, err := time.ParseDuration(seconds)
	if err != nil {
		return err
	}
	l, err := load.New(load.Config{URL: "http://" + addr + "/", Rate: steadyRate, Duration: d})
	if err != nil {
		return err
	}
	r := l.Run(ctx)
	q := func(q float64) float64 { return float64(r.Latency.Quantile(q)) / float64(time.Millisecond) }
	return json.NewEncoder(os.Stdout).Encode(percentiles{q(0.5), q(0.99), q(0.999), r.Failed})
}
