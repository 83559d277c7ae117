// Model computes what many regions, services and releases need of servers and of
// PostgreSQL, from costs that it measures here, and checks itself.
//
//	go run ./bench/model -fairway bin/fairway
//
// Costs are measured on a real server process with a real PostgreSQL, by real workers over
// HTTP with the real executors and judge. Only the platforms and their users are simulated,
// in a time that runs faster than the clock.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/postgres"
)

type config struct {
	fairway string
	dir     string
	only    string
	units   string
	regions string
	legs    int
	load    load
}

func main() {
	c := config{load: asked()}
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.dir, "dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.StringVar(&c.only, "only", "", "parts to do, with commas between: units, needs, check, sqlite, depth")
	flag.StringVar(&c.units, "units", "", "file that keeps the measured costs; what is in it already is not measured again")
	flag.StringVar(&c.regions, "measure", "1,10,50,200", "numbers of regions that releases are measured with, rising")
	flag.IntVar(&c.legs, "legs", 20, "regions that are released to at once while measuring")
	flag.IntVar(&c.load.Regions, "regions", c.load.Regions, "regions of the load that is asked about")
	flag.IntVar(&c.load.Services, "services", c.load.Services, "its services")
	flag.Float64Var(&c.load.Releases, "releases", c.load.Releases, "its releases a day")
	flag.Float64Var(&c.load.Peak, "peak", c.load.Peak, "how many times the day's average its busiest hour has")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/model:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, c config) error {
	if why := postgres.Missing(); why != "" {
		return fmt.Errorf("nothing can be measured: %s", why)
	}
	dir, err := os.MkdirTemp(c.dir, "fairway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	u, err := readUnits(c.units)
	if err != nil {
		return err
	}
	return bar.Measure(ctx, os.Stdout, []bar.Part{
		{Name: "units", Measure: func(ctx context.Context) ([]bar.Bar, error) { return nil, measureUnits(ctx, c, dir, &u) }},
		{Name: "needs", Measure: func(context.Context) ([]bar.Bar, error) { return needs(c.load.in(c.load.Regions), &u) }},
		{Name: "check", Measure: func(ctx context.Context) ([]bar.Bar, error) { return check(ctx, c, dir, &u) }},
		{Name: "sqlite", Measure: func(ctx context.Context) ([]bar.Bar, error) { return nil, embedded(ctx, c, dir) }},
		{Name: "depth", Measure: func(ctx context.Context) ([]bar.Bar, error) { return nil, depth(ctx, c, dir) }},
	}, c.only)
}

// measureUnits measures all costs, the cheap ones that others contain first.
func measureUnits(ctx context.Context, c config, dir string, u *units) error {
	r, err := newRig(ctx, c.fairway, dir+"/units")
	if err != nil {
		return err
	}
	defer r.close()
	if u.Connections == 0 { // they were not measured yet
		if err := r.basics(ctx, u); err != nil {
			return err
		}
	}
	for _, field := range strings.Split(c.regions, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of regions", field)
		}
		if u.knows(n) {
			continue
		}
		if err := r.releaseCost(ctx, u, batchOf(n, c.legs)); err != nil {
			return err
		}
		if err := u.write(c.units); err != nil {
			return err
		}
	}
	printUnits(u)
	return nil
}

// basics are the costs that are contained in those of releases.
func (r *rig) basics(ctx context.Context, u *units) error {
	if err := r.rest(ctx, u, 50, 10*time.Second); err != nil {
		return err
	}
	if err := r.wakes(ctx, u, 50, 50); err != nil {
		return err
	}
	if err := r.crowd(ctx, u, 50, 10_000, 20*time.Second); err != nil {
		return err
	}
	return r.holds(ctx, u, 200, 20, 10*time.Second)
}

func (u *units) knows(regions int) bool {
	return slices.ContainsFunc(u.Releases, func(r releaseUnits) bool { return r.Regions == regions })
}

// write keeps the costs in the file, if one is named.
func (u *units) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func readUnits(path string) (u units, err error) {
	if path == "" {
		return u, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(text, &u)
}
