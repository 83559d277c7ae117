// Waves measures releases to many regions, with the server's own code: the state machine,
// drive and the store on a disk. The regions are simulated: their platforms' verbs take a
// while and do nothing, their users are random numbers, and the real judge looks at them.
//
//	go run ./bench/waves
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
)

type config struct {
	dir     string
	regions int
	bad     int
	good    int
	slowest time.Duration
	seed    uint64
}

func main() {
	var c config
	flag.StringVar(&c.dir, "dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.IntVar(&c.regions, "regions", 200, "regions of the environment, at least 10")
	flag.IntVar(&c.bad, "bad", 20, "bad releases")
	flag.IntVar(&c.good, "good", 3, "good releases, each of which is taken back everywhere")
	flag.DurationVar(&c.slowest, "slowest", 2*time.Second, "the longest that a verb of a platform takes; on average half of it")
	flag.Uint64Var(&c.seed, "seed", 1, "of the random numbers")
	flag.Parse()
	if err := measure(context.Background(), c); err != nil {
		fmt.Fprintln(os.Stderr, "bench/waves:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp(c.dir, "fairway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(ctx, c, dir)
	if err != nil {
		return err
	}
	defer w.close()
	first, err := w.release(ctx, healthy)
	if err != nil {
		return err
	}
	fmt.Printf("%d regions in waves of %v; verbs take up to %s\n", c.regions, w.waves, c.slowest)
	fmt.Printf("  the first release     %8.1f s\n", first.took.Seconds())

	stopped, late := 0, 0
	var notice []float64
	for range c.bad {
		r, err := w.release(ctx, harmful)
		if err != nil {
			return err
		}
		reached, left := w.reached(r), w.left(r)
		if reached == 1 && left == 0 && r.state == "rolled-back" {
			stopped++
		}
		late += left
		notice = append(notice, r.took.Seconds())
	}
	slices.Sort(notice)
	fmt.Printf("  bad releases          %8d of %d stopped in wave 1, back after %.1f s (longest %.1f s); %d regions left behind\n",
		stopped, c.bad, notice[len(notice)/2], notice[len(notice)-1], late)

	var back, ended []float64
	for range c.good {
		r, err := w.release(ctx, healthy)
		if err != nil {
			return err
		}
		if r.state != "succeeded" {
			return fmt.Errorf("a good release is %s: %s", r.state, r.id)
		}
		fmt.Printf("  a good release        %8.1f s\n", r.took.Seconds())
		traffic, end, err := w.takeBack(ctx, r)
		if err != nil {
			return err
		}
		back, ended = append(back, traffic.Seconds()), append(ended, end.Seconds())
	}
	size, err := w.size(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  taken back everywhere %8.1f s until the last user is back, %.1f s until all is cleared away (longest of %d)\n", slices.Max(back), slices.Max(ended), c.good)
	fmt.Printf("  a run, a plan         %8.0f kB, %.0f kB as stored\n", size.run/1000, size.plan/1000)
	fmt.Printf("  reports               %8d, %.1f ms each on average\n\n", w.reports.Load(), float64(w.waited.Load())/1e6/float64(w.reports.Load()))
	return bar.Print(os.Stdout, []bar.Bar{
		bar.AtLeast("waves_stopped", float64(stopped)/float64(c.bad), "", 1),
		bar.AtMost("global_rollback_seconds", slices.Max(ended), "s", 30),
	})
}
