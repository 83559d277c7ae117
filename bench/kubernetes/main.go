// Kubernetes measures the main promise on a real Kubernetes: pods that answer real
// requests through a real gateway, judged by what a Prometheus counts.
//
// Its part bad releases versions with a fault and counts what that costs the users until
// it is taken back; good releases equal versions and looks that none is; cost counts what
// one release asks of the API server and takes of memory; many measures memory while 500
// Deployments are looked at for drift. All have one definition, in test/kubernetes/rig.
//
//	go run ./bench/kubernetes -fairway bin/fairway
//	go run ./bench/kubernetes -only bad -runs 1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

type config struct {
	fairway, only           string
	runs, good, lanes, many int
	rate                    float64
}

// part is one kind of measurement.
type part struct {
	name    string
	measure func(context.Context, *rig.Rig, config) ([]bar.Bar, error)
	// server are more flags of the server.
	server []string
}

var parts = []part{
	{name: "cost", measure: measureCost},
	{name: "bad", measure: measureBad},
	{name: "good", measure: measureGood},
	{name: "many", measure: measureMany, server: []string{"--drift-every", driftEvery.String()}},
}

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.only, "only", "", "measure these parts, with commas between: cost, bad, good, many")
	flag.IntVar(&c.runs, "runs", 5, "bad: releases of each fault")
	flag.IntVar(&c.good, "good", 20, "good: releases")
	flag.IntVar(&c.lanes, "lanes", 2, "bad, good: services measured at the same time, each with its own users")
	flag.IntVar(&c.many, "many", 500, "many: Deployments that are looked at for drift")
	flag.Float64Var(&c.rate, "rate", 100, "requests per second of each service")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var all []bar.Part
	for _, p := range parts {
		all = append(all, bar.Part{Name: p.name, Measure: func(ctx context.Context) ([]bar.Bar, error) { return measurePart(ctx, c, p) }})
	}
	if err := bar.Measure(ctx, os.Stdout, all, c.only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/kubernetes:", err)
		os.Exit(1)
	}
}

// measurePart gives each part a world of its own, so that none learns from another.
func measurePart(ctx context.Context, c config, p part) (bars []bar.Bar, err error) {
	r, err := rig.Up(ctx, rig.Options{
		Fairway:  c.fairway,
		Versions: []rig.Version{rig.V1, rig.V2, rig.Fails100, rig.Fails10, rig.Fails2, rig.Late},
		Server:   p.server,
		Say:      func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	})
	if errors.Is(err, cluster.ErrUnable) {
		return nil, fmt.Errorf("nothing can be measured here: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			fmt.Fprintln(os.Stderr, r.Logs())
		}
		err = errors.Join(err, r.Close())
	}()
	return p.measure(ctx, r, c)
}

// settled is how long a service has run before its first release: longer than the
// warm-up, in which the latency of instances is not judged.
const settled = 60 * time.Second

// inLanes opens a service in each lane, lets it settle, and does the same in all of them
// at once.
func inLanes(ctx context.Context, r *rig.Rig, c config, do func(team *rig.Team, lane int) error) error {
	teams := make([]*rig.Team, c.lanes)
	for i := range teams {
		var err error
		name := fmt.Sprintf("shop-%d", i+1)
		if teams[i], err = r.Open(ctx, rig.TeamOptions{Name: name, First: rig.V1, Rate: c.rate, Autoscaled: true}); err != nil {
			return err
		}
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, len(teams))
	for i, team := range teams {
		all.Go(func() { errs[i] = do(team, i) })
	}
	all.Wait()
	for _, team := range teams {
		for _, wrong := range team.Route.TakeWrong() {
			fmt.Printf("%s: WRONG: %s\n", team.Name, wrong)
		}
	}
	return errors.Join(errs...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// shareOf is what lane i has of n releases.
func shareOf(n, lanes, i int) int {
	share := n / lanes
	if i < n%lanes {
		share++
	}
	return share
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// row prints what one kind of measurement came to.
func row(what string, x []float64, unit string) {
	if len(x) == 0 {
		return
	}
	s := slices.Sorted(slices.Values(x))
	fmt.Printf("  %-36s n=%-3d min %-7.3g median %-7.3g max %-7.3g %s\n", what, len(s), s[0], median(x), s[len(s)-1], unit)
}
