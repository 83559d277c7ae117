// Command router measures the traffic router against its promises: throughput
// beside Caddy and nginx, added latency, and requests that fail while the
// service is deployed and the router is replaced. Run it from the repository's
// root, on Linux with nginx and wrk installed:
//
//	go run ./bench/router
//
// It prints tables and, as its last line, the bars as JSON, and exits 0 whenever
// it could measure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/fairwayhq/fairway/internal/bar"
)

// options are what the flags say.
type options struct {
	dir      string // for everything that is written
	rounds   int
	seconds  int
	requests int64
	proxyCPU int
	loadCPU  int
}

// scenarios are the parts of the benchmark, in the order in which they run.
var scenarios = []struct {
	name string
	run  func(context.Context, options) ([]bar.Bar, error)
}{
	{"throughput", throughput},
	{"latency", addedLatency},
	{"deploys", failedRequests},
	{"stack", failedByStack},
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "role" {
		exitOn(play(os.Args[2], os.Args[3:]))
		return
	}
	var o options
	only := flag.String("only", "", "run only this scenario: throughput, latency, deploys or stack")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of throughput and latency")
	flag.IntVar(&o.seconds, "seconds", 4, "seconds of each measurement in a round")
	flag.Int64Var(&o.requests, "requests", 100_000, "requests sent during deploys, at 500 a second")
	flag.IntVar(&o.proxyCPU, "proxy-cpu", 1, "the core of the proxies")
	flag.IntVar(&o.loadCPU, "load-cpu", 0, "the core of load and origin")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exitOn(measure(ctx, o, *only))
}

func measure(ctx context.Context, o options, only string) error {
	dir, err := os.MkdirTemp("", "fairway-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	var parts []bar.Part
	for _, s := range scenarios {
		parts = append(parts, bar.Part{Name: s.name, Measure: func(ctx context.Context) ([]bar.Bar, error) { return s.run(ctx, o) }})
	}
	return bar.Measure(ctx, os.Stdout, parts, only)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
