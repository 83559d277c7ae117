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
	"os/signal"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/postgres"
)

type config struct {
	fairway  string
	dir      string
	parallel int
	events   int
	waiting  int
	starts   int
	shared   int
	share    int
	only     string
}

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.dir, "dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.IntVar(&c.parallel, "parallel", 100, "releases that move at the same time")
	flag.IntVar(&c.events, "events", 20_000, "transitions to measure")
	flag.IntVar(&c.waiting, "waiting", 5000, "releases that wait")
	flag.IntVar(&c.starts, "starts", 11, "starts of the server to measure")
	flag.IntVar(&c.shared, "shared", 1500, "releases that two servers share on PostgreSQL")
	flag.IntVar(&c.share, "share", 20, "part of a core, in percent, that each server may use where its own speed is the limit")
	flag.StringVar(&c.only, "only", "", "one (a single server with SQLite) or shared (servers on PostgreSQL)")
	name := flag.String("as-worker", "", "be the worker of that name (this program starts itself so)")
	url := flag.String("server", "", "the worker's server")
	flag.Parse()
	if *name != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		if err := asWorker(ctx, *name, *url); err != nil {
			fmt.Fprintln(os.Stderr, "bench/drive:", err)
			os.Exit(1)
		}
		return
	}
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
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	var bars []bar.Bar
	if c.only != "shared" {
		if bars, err = measureOne(ctx, c, dir); err != nil {
			return err
		}
	}
	if c.only != "one" {
		more, err := measureTwo(ctx, c, dir)
		if err != nil {
			return err
		}
		bars = append(bars, more...)
	}
	return bar.Print(os.Stdout, bars)
}

// measureTwo measures servers that share a PostgreSQL, where there is one.
func measureTwo(ctx context.Context, c config, dir string) ([]bar.Bar, error) {
	if why := postgres.Missing(); why != "" {
		fmt.Printf("servers on PostgreSQL are left out: %s\n\n", why)
		return nil, nil
	}
	s, err := measureShared(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%d workers over HTTP, PostgreSQL with fsync in %s, all on this machine\n", sharedWorkers, dir)
	fmt.Printf("  transitions           %8.0f /s  with one server\n", s.one)
	fmt.Printf("  transitions           %8.0f /s  with two servers\n", s.two)
	fmt.Printf("  transitions           %8.0f /s  with one server that may use %d %% of a core\n", s.ofOne, s.share)
	fmt.Printf("  transitions           %8.0f /s  with two servers that may use %d %% of a core each\n\n", s.ofTwo, s.share)
	return []bar.Bar{
		bar.AtLeast("transitions_per_second_postgres", s.two, "/s", 2000),
		bar.AtLeast("second_server_gain", s.ofTwo/s.ofOne, "", 1.6),
	}, nil
}

// measureOne measures one server with SQLite.
func measureOne(ctx context.Context, c config, dir string) ([]bar.Bar, error) {
	rates, err := transitions(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	raw, err := rawCommits(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%d releases in parallel, SQLite with WAL and synchronous=FULL in %s\n", c.parallel, dir)
	fmt.Printf("  transitions           %8.0f /s  (median of %d rounds; event, hash, run and wake-up, acknowledged after the commit)\n", rates.median, rounds)
	fmt.Printf("  ledger lines          %8.0f /s\n", rates.lines)
	fmt.Printf("  the store's raw rows  %8.0f /s  (one small row each, the same grouped commits)\n", raw)
	fmt.Printf("  ratio                 %8.2f\n\n", rates.median/raw)

	filled, err := fill(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	ready, err := starts(ctx, c, filled.server)
	if err != nil {
		return nil, err
	}
	fmt.Printf("server with %d waiting releases\n", c.waiting)
	fmt.Printf("  resident memory       %8.1f MB after creating them, %.1f MB after a restart, %.1f MB without any release\n", filled.filledMB, ready.residentMB, filled.emptyMB)
	fmt.Printf("  start to ready        %8.0f ms (median of %d, longest %.0f ms)\n\n", ready.medianMS, c.starts, ready.longestMS)
	return []bar.Bar{
		bar.AtLeast("transitions_per_second", rates.median, "/s", 2500),
		bar.AtMost("resident_5000_releases", max(filled.filledMB, ready.residentMB), "MB", 64),
		bar.AtMost("start_to_ready", ready.medianMS, "ms", 150),
	}, nil
}
