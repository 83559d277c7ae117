// Demo measures the main promise with real servers, processes, router and traffic.
//
// Its first part, the story, has the demo's settings: how soon a bad version is taken
// back and what it cost, how soon a good one is promoted, and whether a good one is
// ever taken back. The second, live, leaves the judge's settings to the defaults and
// counts what bad versions cost the users of a service.
//
//	go run ./bench/demo -fairway bin/fairway -artifacts bin
//	go run ./bench/demo -only live
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

	"github.com/fairwayhq/fairway/internal/bar"
)

type config struct {
	fairway, artifacts, only string
	keep                     bool
	rate                     float64

	definition       string
	good, bad, lanes int

	liveDefinition  string
	live, liveLanes int
}

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.artifacts, "artifacts", "bin", "folder with the versions of the shop")
	flag.StringVar(&c.only, "only", "", "measure one part: story or live")
	flag.BoolVar(&c.keep, "keep", false, "keep the server's data, for `fairway replay`")
	flag.Float64Var(&c.rate, "rate", 200, "requests per second of each service")
	flag.StringVar(&c.definition, "file", "examples/shop/fairway.yaml", "story: the demo's settings")
	flag.IntVar(&c.good, "good", 20, "story: good releases")
	flag.IntVar(&c.bad, "bad", 10, "story: bad releases")
	flag.IntVar(&c.lanes, "lanes", 3, "story: services measured at the same time, each with its own traffic")
	flag.StringVar(&c.liveDefinition, "live-file", "bench/demo/live.yaml", "live: the settings")
	flag.IntVar(&c.live, "live", 10, "live: releases of each fault")
	flag.IntVar(&c.liveLanes, "live-lanes", 5, "live: services measured at the same time, each with its own traffic")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	part := func(measure func(context.Context, config) ([]bar.Bar, error)) func(context.Context) ([]bar.Bar, error) {
		return func(ctx context.Context) ([]bar.Bar, error) { return measure(ctx, c) }
	}
	parts := []bar.Part{{Name: "story", Measure: part(measureStory)}, {Name: "live", Measure: part(measureLive)}}
	if err := bar.Measure(ctx, os.Stdout, parts, c.only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/demo:", err)
		os.Exit(1)
	}
}

// inLanes does the same in so many lanes at once, and waits for all.
func inLanes(n int, do func(i int) error) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
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
