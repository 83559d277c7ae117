// Drive measures the heart: how many state transitions one process commits per
// second, how much memory five thousand waiting releases hold, and how long a
// server takes from its start to being ready.
//
//	go run ./bench/drive -fairway bin/fairway
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/fairwayhq/fairway/internal/bar"
)

type config struct {
	fairway  string
	dir      string
	parallel int
	events   int
	waiting  int
	starts   int
}

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.dir, "dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.IntVar(&c.parallel, "parallel", 100, "releases that move at the same time")
	flag.IntVar(&c.events, "events", 20_000, "transitions to measure")
	flag.IntVar(&c.waiting, "waiting", 5000, "releases that wait")
	flag.IntVar(&c.starts, "starts", 11, "starts of the server to measure")
	flag.Parse()
	if err := measure(context.Background(), c); err != nil {
		fmt.Fprintln(os.Stderr, "bench/drive:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp(c.dir, "fairway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rates, err := transitions(ctx, c, dir)
	if err != nil {
		return err
	}
	raw, err := rawCommits(ctx, c, dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d releases in parallel, SQLite with WAL and synchronous=FULL in %s\n", c.parallel, dir)
	fmt.Printf("  transitions           %8.0f /s  (median of %d rounds; event, hash, run and wake-up, acknowledged after the commit)\n", rates.median, rounds)
	fmt.Printf("  ledger lines          %8.0f /s\n", rates.lines)
	fmt.Printf("  the store's raw rows  %8.0f /s  (one small row each, the same grouped commits)\n", raw)
	fmt.Printf("  ratio                 %8.2f\n\n", rates.median/raw)

	server, err := fill(ctx, c, dir)
	if err != nil {
		return err
	}
	ready, err := starts(ctx, c, server)
	if err != nil {
		return err
	}
	fmt.Printf("server with %d waiting releases\n", c.waiting)
	fmt.Printf("  resident memory       %8.1f MB after creating them, %.1f MB after a restart, %.1f MB without any release\n", server.filledMB, ready.residentMB, server.emptyMB)
	fmt.Printf("  start to ready        %8.0f ms (median of %d, longest %.0f ms)\n\n", ready.medianMS, c.starts, ready.longestMS)
	return bar.Print(os.Stdout, []bar.Bar{
		bar.AtLeast("transitions_per_second", rates.median, "/s", 2500),
		bar.AtMost("resident_5000_releases", max(server.filledMB, ready.residentMB), "MB", 64),
		bar.AtMost("start_to_ready", ready.medianMS, "ms", 150),
	})
}
