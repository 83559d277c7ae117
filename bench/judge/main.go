// Judge measures the canary judge in a simulated world: how often it takes a healthy
// release back, how many users a bad one hurts before it is gone, how long a good one
// takes, and what a test of the judge costs; beside an oracle that knows the fault, and
// beside the rules of other tools.
//
//	go run ./bench/judge -seed 1 -n 200
//	go run ./bench/judge -quick -only 'Fairway/200/s,oracle/200/s'
//	go run ./bench/judge -quick -only Fairway -settings '{"dwell": 60000000000}'
//
// Each cell is n releases (five times as many healthy ones of Fairway's under real and
// harsh noise), 90 minutes each, scraped every 15 s. Run i of a series has the same
// seed in every cell, and so the same weather; another series is another world. So
// are services with other errors and colder starts:
//
//	go run ./bench/judge -quick -errors 0.01 -cold 60s
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/bar"
)

type config struct {
	series   uint64
	runs     int
	only     string
	settings string
	plots    string
	scrape   time.Duration
	warmUp   time.Duration
	cold     time.Duration
	errors   float64
	length   time.Duration
	progress bool
}

func main() {
	var c config
	quick := flag.Bool("quick", false, "20 releases per cell, for a first look")
	flag.Uint64Var(&c.series, "seed", 1, "the series of seeds")
	flag.IntVar(&c.runs, "n", 200, "releases per cell")
	flag.StringVar(&c.only, "only", "", "cells with one of these, separated by commas, in their names (player/service/noise/scenario)")
	flag.StringVar(&c.settings, "settings", "", "JSON of what to change in the judge's settings, for experiments")
	flag.StringVar(&c.plots, "plots", "", "folder to write plots to")
	flag.DurationVar(&c.scrape, "scrape", 15*time.Second, "time between two scrapes, a multiple of 5s")
	flag.DurationVar(&c.warmUp, "warmup", 90*time.Second, "how long the judge leaves the latency of new instances out")
	flag.DurationVar(&c.cold, "cold", 20*time.Second, "in how long the slowness of a new instance falls by 1/e")
	flag.Float64Var(&c.errors, "errors", 0.002, "the services' usual share of errors")
	flag.DurationVar(&c.length, "length", 90*time.Minute, "length of a release's life")
	flag.BoolVar(&c.progress, "progress", true, "say on the error output how far it is")
	flag.Parse()
	if *quick {
		c.runs = 20
	}
	if err := measure(c); err != nil {
		fmt.Fprintln(os.Stderr, "bench/judge:", err)
		os.Exit(1)
	}
}

func measure(c config) error {
	if c.runs < 1 || c.scrape < world.Tick || c.scrape%world.Tick != 0 {
		return fmt.Errorf("n must be at least 1, and the time between scrapes a multiple of %s", world.Tick)
	}
	for i := range world.Services {
		s := &world.Services[i]
		s.WarmUp, s.Cold, s.Errors = c.warmUp, c.cold, c.errors
	}
	b, err := c.plan()
	if err != nil {
		return err
	}
	cost, often := costOfJudging(c.scrape), costOfJudging(time.Second)
	began := time.Now()
	played := play.Grid(b.cells, c.series, c.teller(b.cells))
	took := time.Since(began)
	r := index(played)
	fmt.Printf("%d releases of %s in %d cells, scraped every %s, seeds of series %d, in %s\n\n",
		total(b.cells), c.length, len(b.cells), c.scrape, c.series, took.Round(time.Second))
	for _, t := range tables(r) {
		t.Print(os.Stdout)
	}
	fmt.Printf("One update of four metrics: %.1f µs with samples every %s, %.1f µs with samples every second\n\n", cost.microseconds, c.scrape, often.microseconds)
	if c.plots != "" {
		if err := savePlots(c.plots, r); err != nil {
			return err
		}
	}
	return bar.Print(os.Stdout, append(bars(r), cost.bars()...))
}

func total(cells []play.Cell) int {
	n := 0
	for _, c := range cells {
		n += c.Runs
	}
	return n
}

// teller says how far it is, a hundred times.
func (c config) teller(cells []play.Cell) func(int64) {
	if !c.progress {
		return nil
	}
	all := int64(total(cells))
	return func(n int64) {
		if step := max(1, all/100); n%step == 0 || n == all {
			fmt.Fprintf(os.Stderr, "\r%3d %%", 100*n/all)
		}
		if n == all {
			fmt.Fprintln(os.Stderr)
		}
	}
}
