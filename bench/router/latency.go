package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/router"
)

// addedLatency measures what the router adds to the 99th percentile at 2,000
// requests a second: two loads at a time, one direct and one through the router,
// would disturb each other, so they take turns, and the median of the rounds' differences counts.
func addedLatency(ctx context.Context, o options) ([]bar.Bar, error) {
	origin, err := startOrigin(ctx, o.dir, o.loadCPU)
	if err != nil {
		return nil, err
	}
	defer origin.stop()
	p, c, err := startRouter(ctx, o.proxyCPU, filepath.Join(o.dir, "latency"), nil)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	r, err := c.PutRoute(ctx, "bench/latency", router.Route{
		Fence: 1, Listen: "127.0.0.1:0",
		Arms: []router.Arm{{Revision: "v1", Weight: router.Whole, Backends: []router.Backend{{Address: origin.addr}}}},
	})
	if err != nil {
		return nil, err
	}
	p99 := map[string][]float64{}
	for round := range 2*o.rounds + 1 {
		for _, way := range []peer{{name: "direct", addr: origin.addr}, {name: "router", addr: r.Listen}} {
			p, err := steady(ctx, o, way.addr)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first one warms up
				p99[way.name] = append(p99[way.name], p.P99)
				fmt.Printf("round %d  %-8s p50 %.3f  p99 %.3f  p99.9 %.3f ms\n", round, way.name, p.P50, p.P99, p.P999)
			}
		}
	}
	// The two ways of a round follow each other within seconds, so their difference
	// is free of what the machine does otherwise, as far as that lasts.
	var added []float64
	for i := range p99["direct"] {
		added = append(added, p99["router"][i]-p99["direct"][i])
	}
	fmt.Printf("median   p99 direct %.3f ms, through the router %.3f ms, added %.3f ms\n",
		median(p99["direct"]), median(p99["router"]), median(added))
	return []bar.Bar{bar.AtMost("router_added_p99", median(added), "ms", 1)}, nil
}
