// Demo measures the main promise with the demo's settings: how soon a bad version
// is taken back and what it cost, how soon a good one is promoted, and whether a
// good one is ever taken back. Real servers, processes, router and traffic.
//
//	go run ./bench/demo -fairway bin/fairway -artifacts bin
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/fairwayhq/fairway/internal/bar"
)

type config struct {
	fairway, artifacts, definition string
	good, bad, lanes               int
	rate                           float64
}

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.artifacts, "artifacts", "bin", "folder with shop-v1 to shop-v3")
	flag.StringVar(&c.definition, "file", "examples/shop/fairway.yaml", "the demo's settings")
	flag.IntVar(&c.good, "good", 20, "good releases")
	flag.IntVar(&c.bad, "bad", 10, "bad releases")
	flag.IntVar(&c.lanes, "lanes", 3, "services measured at the same time, each with its own traffic")
	flag.Float64Var(&c.rate, "rate", 200, "requests per second of each service")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "bench/demo:", err)
		os.Exit(1)
	}
}

// results gathers what all lanes measured.
type results struct {
	mu                                    sync.Mutex
	promote, rollback, route, badServed   []float64
	falseRollbacks, missed, failed, total int64
}

func measure(ctx context.Context, c config) (err error) {
	s, err := startServer(ctx, c)
	if err != nil {
		return err
	}
	defer func() { s.stop(c.lanes) }()
	var r results
	var all sync.WaitGroup
	errs := make([]error, c.lanes)
	for i := range c.lanes {
		all.Go(func() { errs[i] = s.lane(ctx, c, i, &r) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	r.print()
	return bar.Print(os.Stdout, []bar.Bar{
		bar.AtMost("seconds_to_rollback", median(r.rollback), "s", 20),
		bar.AtMost("bad_served", median(r.badServed), "requests", 60),
		bar.AtMost("decision_to_route", slices.Max(append(r.route, 0)), "s", 1),
		bar.AtMost("bad_promoted", float64(r.missed), "releases", 0),
		bar.AtMost("seconds_to_promote", median(r.promote), "s", 90),
		bar.AtMost("false_rollbacks", float64(r.falseRollbacks), "releases", 0),
		bar.AtMost("failed_by_deploys", float64(r.failed), "requests", 0),
	})
}

func (r *results) print() {
	row := func(what string, x []float64, unit string) {
		if len(x) == 0 {
			return
		}
		s := slices.Sorted(slices.Values(x))
		fmt.Printf("  %-32s n=%-3d min %-7.3g median %-7.3g max %-7.3g %s\n", what, len(s), s[0], median(x), s[len(s)-1], unit)
	}
	fmt.Println()
	row("bad: ship to traffic back", r.rollback, "s")
	row("bad: verdict to route", r.route, "s")
	row("bad: bad answers served", r.badServed, "requests")
	row("good: ship to promoted", r.promote, "s")
	fmt.Printf("  %-32s %d; requests in all: %d\n\n", "good: taken back by mistake", r.falseRollbacks, r.total)
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
