// Command partition cuts workers off from their server, again and again, at random moments
// of releases good and bad under real traffic, and looks at the routers what happens then.
// Run it from the repository's root, on Linux:
//
//	go run ./test/partition
//
// There is one server, and some cells that work at the same time. A cell is a region: a
// worker with a router and a service of its own, or two workers that share them. Between
// each worker and the server stands a proxy, which cuts: it swallows what is sent, or breaks
// every connection. It is the worker that steers which is cut off. In every fourth cell that
// worker is killed right after the cut, and comes back where no server answers. In another
// fourth, with two workers, nothing is cut: the one that steers is lost, killed or frozen, and
// gone for as long, so that the other one must take over. Losses come beside the cuts, and
// are not counted among them.
//
// Measured are: steps forward by a worker that was cut off; how long a bad version keeps
// traffic, cut off and with a connection; for how long nobody looks at a canary whose worker
// is gone; and verbs that a target has accepted with a fence below one that it had accepted
// before. Every release must end as it would have.
//
// It prints a table of the cuts and, as its last line, the bars as JSON.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"
)

// options are what the flags say.
type options struct {
	// cuts are shared by the cells whose worker is cut off, losses by those that lose it.
	cuts, losses int
	cut          time.Duration
	cells        int
	lease        time.Duration
	// harm is the share of answers that fail in a bad version.
	harm float64
	// plain is how many bad releases each cell sees with a connection, to compare with.
	plain int
	seed  uint64
	limit time.Duration
	keep  bool
	out   io.Writer
}

func main() {
	o := options{out: os.Stdout}
	flag.IntVar(&o.cuts, "n", 100, "how often to cut")
	flag.IntVar(&o.losses, "losses", 32, "how often to lose one of two workers, beside the cuts")
	flag.DurationVar(&o.cut, "cut", time.Minute, "how long each cut and each loss lasts")
	flag.IntVar(&o.cells, "cells", 8, "how many regions work at the same time; every fourth one is for losses")
	flag.DurationVar(&o.lease, "lease", 30*time.Second, "the server's lease")
	flag.Float64Var(&o.harm, "harm", 0.12, "share of answers that fail in a bad version")
	flag.IntVar(&o.plain, "plain", 4, "bad releases with a connection in each cell, to compare with")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "the moments of the cuts, to come close to an earlier run")
	flag.DurationVar(&o.limit, "limit", 40*time.Minute, "give up after this time")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with the data and the logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, o)
	if err == nil {
		err = r.print(o.out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "partition:", err)
		os.Exit(1)
	}
}

// run makes the world, lets every cell work off its share of the cuts or losses, and
// takes the world away.
func run(ctx context.Context, o options) (r *result, err error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("processes are found by /proc, which %s does not have", runtime.GOOS)
	}
	if o.losses > 0 && o.cells < 4 {
		return nil, fmt.Errorf("of %d cells none has two workers to lose one of; take four cells or -losses 0", o.cells)
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	rig, err := newRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rig.close()) }()
	r = &result{options: o}
	began := time.Now()
	var working sync.WaitGroup
	for _, c := range rig.cells {
		working.Go(func() { c.work(ctx, r) })
	}
	working.Wait()
	r.took = time.Since(began)
	if ctx.Err() != nil {
		r.wrong("it did not end in time: %v", ctx.Err())
	}
	r.accepted, r.double, err = doubles(rig.path("trace"))
	return r, err
}
