// Scale measures what ten thousand active releases cost the servers that look after them:
// two servers on one PostgreSQL, and four workers that tick each release every ten seconds
// for an hour. Nothing changes meanwhile, so nothing but leases may be written, and memory may
// not grow: half an hour cannot tell 1 MB per hour from the ups and downs of garbage.
//
//	go run ./bench/scale -fairway bin/fairway
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/postgres"
)

type config struct {
	fairway  string
	dir      string
	releases int
	every    time.Duration
	lasts    time.Duration
	settles  time.Duration
}

const (
	servers = 2
	workers = 4
	// spare is how many more releases each worker could carry: one that is full asks for tasks
	// each second.
	spare = 500
)

// What the names of the bars about memory stand for.
const (
	leastReleases = 10_000
	leastTime     = 30 * time.Minute
)

func main() {
	var c config
	flag.StringVar(&c.fairway, "fairway", "bin/fairway", "the binary to measure")
	flag.StringVar(&c.dir, "dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.IntVar(&c.releases, "releases", 10_000, "active releases")
	flag.DurationVar(&c.every, "every", 10*time.Second, "time between two ticks of a release")
	flag.DurationVar(&c.lasts, "for", time.Hour, "how long to measure")
	flag.DurationVar(&c.settles, "settle", 2*time.Minute, "how long to wait before that, once all releases are ticked")
	name := flag.String("as-worker", "", "be the worker of that name (this program starts itself so)")
	url := flag.String("server", "", "the worker's server")
	parallel := flag.Int("parallel", 0, "how many tasks the worker carries out at the same time, as --parallel of fairway worker says")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *name != "" {
		err = asWorker(ctx, *name, *url, *parallel, c.every)
	} else {
		err = measure(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/scale:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, c config) error {
	if why := postgres.Missing(); why != "" {
		return errors.New(why)
	}
	dir, err := os.MkdirTemp(c.dir, "fairway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	r, err := begin(ctx, c, dir)
	if err != nil {
		return err
	}
	defer r.end()
	seen, err := r.watch(ctx)
	if err != nil {
		return err
	}
	ticks, err := r.stopWorkers()
	if err != nil {
		return err
	}
	return show(c, seen, ticks)
}

// show prints what was seen. A mean of all ticks and signs would hide that one server was
// slow, so each bar has the worse of the two.
func show(c config, seen seen, ticks ticks) error {
	fmt.Printf("%d active releases, ticked every %s for %s by %d workers of %d servers on one PostgreSQL\n", c.releases, c.every, seen.lasted.Round(time.Second), workers, servers)
	for i, s := range seen.servers {
		fmt.Printf("  server %d              %8.1f MB resident at most, %.1f MB at the end; %s; %.1f %% of a core\n",
			i+1, s.resident.most(), s.resident.last(), s.resident.grows(), 100*s.cpu.Seconds()/seen.lasted.Seconds())
		fmt.Printf("    without its program %9.1f MB at most, %.1f MB at the end; %s\n", s.own.most(), s.own.last(), s.own.grows())
	}
	fmt.Printf("  PostgreSQL            %8.1f %% of a core; the workers %.1f %%\n", 100*seen.database.Seconds()/seen.lasted.Seconds(), 100*seen.workers.Seconds()/seen.lasted.Seconds())
	fmt.Printf("  ticks                 %8.0f /s, of which %.2f %% might not advance, since no server had answered in time\n", ticks.rate(), 100*ticks.heldShare())
	fmt.Printf("  leases renewed        %8.0f /s\n", float64(seen.written["tasks"])/seen.lasted.Seconds())
	fmt.Printf("  other rows written    %8d    %s\n\n", seen.beyond(), seen.others())
	return bar.Print(os.Stdout, bars(c, seen, ticks))
}

// bars are met only where the releases were ticked: those that nobody ticks cost nothing. Those
// about memory are of so many releases, for as long as it takes to tell growth from noise.
func bars(c config, seen seen, ticks ticks) []bar.Bar {
	due := float64(c.releases) / c.every.Seconds()
	made := bar.AtLeast("ticks_made", 100*ticks.rate()/due, "%", 95)
	all := []bar.Bar{
		bar.AtMost("resident_10000_releases", seen.resident(), "MB", 128),
		bar.AtMost("resident_slope", seen.growth(), "MB/h", 1),
		bar.AtMost("writes_beyond_leases", float64(seen.beyond()), "rows", 0),
		bar.AtMost("ticks_held", 100*ticks.heldShare(), "%", 1),
		made,
	}
	long := c.releases >= leastReleases && seen.lasted >= leastTime
	for i := range all {
		all[i].OK = all[i].OK && made.OK && (long || !strings.HasPrefix(all[i].Name, "resident_"))
	}
	return all
}
