package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/fairwayhq/fairway/internal/bar"
)

// throughput compares how many requests a second the router, Caddy and nginx
// pass on, each on the same core, with the load and the origin on the other. The
// peers take turns within each round, so that what disturbs the machine disturbs
// all; the ratios are of the medians.
func throughput(ctx context.Context, o options) ([]bar.Bar, error) {
	origin, err := startOrigin(ctx, o.dir, o.loadCPU)
	if err != nil {
		return nil, err
	}
	defer origin.stop()
	peers, err := startPeers(ctx, o.dir, o.proxyCPU, origin.addr)
	for _, p := range peers {
		defer p.stop()
	}
	if err != nil {
		return nil, err
	}
	all := append([]*peer{{name: "direct", addr: origin.addr, process: origin.process}}, peers...)
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for round := range o.rounds + 1 {
		for i := range all {
			p := all[(i+round)%len(all)]
			rate, cost, err := o.one(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", p.name, err)
			}
			if round > 0 { // the first one warms up
				rates[p.name], costs[p.name] = append(rates[p.name], rate), append(costs[p.name], cost)
				fmt.Printf("round %2d  %-8s %8.0f requests/s  %6.1f µs of processor each\n", round, p.name, rate, cost)
			}
		}
	}
	for _, p := range all {
		fmt.Printf("median    %-8s %8.0f requests/s  %6.1f µs of processor each\n", p.name, median(rates[p.name]), median(costs[p.name]))
	}
	fairway := median(rates["fairway"])
	return []bar.Bar{
		bar.AtLeast("router_vs_caddy", fairway/median(rates["caddy"]), "x", 1.2),
		bar.AtLeast("router_vs_nginx", fairway/median(rates["nginx"]), "x", 0.7),
	}, nil
}

// one measures a peer: its requests a second, and the processor time that it
// spent on each in microseconds. The latter tells, on a machine that does other
// things too, what the former would be if it did not.
func (o options) one(ctx context.Context, p *peer) (rate, cost float64, err error) {
	before, err := p.busy()
	if err != nil {
		return 0, 0, err
	}
	if rate, err = wrk(ctx, o, p.addr); err != nil {
		return 0, 0, err
	}
	after, err := p.busy()
	return rate, float64((after - before).Microseconds()) / (rate * float64(o.seconds)), err
}

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	faulty    = regexp.MustCompile(`(Non-2xx or 3xx responses|Socket errors): .*`)
)

// wrk loads an address over 64 kept connections and returns the requests per second.
func wrk(ctx context.Context, o options, addr string) (float64, error) {
	out, err := pinned(ctx, o.loadCPU, "wrk", "-t1", "-c64", fmt.Sprintf("-d%ds", o.seconds), "http://"+addr+"/").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("run wrk: %w\n%s", err, out)
	}
	if m := faulty.Find(out); m != nil {
		return 0, fmt.Errorf("not all requests were answered: %s", m)
	}
	m := perSecond.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk printed no rate:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
