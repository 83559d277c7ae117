package main

import (
	"fmt"
	"math"
	"os"
	"text/tabwriter"

	"github.com/fairwayhq/fairway/internal/bar"
)

// needs prints what the load needs and which limit comes first.
func needs(l load, u *units) ([]bar.Bar, error) {
	if err := l.validate(u); err != nil {
		return nil, err
	}
	everywhere := l
	everywhere.Mix = []part{{1, l.Regions}}
	for _, c := range []struct {
		name string
		load load
	}{{"some releases everywhere", l}, {"all releases everywhere", everywhere}} {
		if err := c.load.validate(u); err != nil {
			return nil, err
		}
		printNeeds(c.name, c.load, u)
	}
	return nil, nil
}

func printNeeds(name string, l load, u *units) {
	n := l.needs(u)
	fmt.Printf("\n%s: %d regions, %d services, %.0f releases a day, of which", name, l.Regions, l.Services, l.Releases)
	for _, p := range l.Mix {
		fmt.Printf(" %.0f %% go to %d", 100*p.Of, p.Regions)
	}
	fmt.Printf("; the busiest hour has %g times the average\n", l.Peak)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "a second of it\tall\treleases\tsamples\theld tasks\twaiting workers\t")
	line := func(what string, of func(cost) float64) {
		fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t\n", what, of(n.Second), of(n.Releases), of(n.Samples), of(n.Held), of(n.Waiting))
	}
	line("transactions that write", func(c cost) float64 { return c.Updates })
	line("transactions that read", func(c cost) float64 { return c.Views })
	line("statements", func(c cost) float64 { return c.Statements })
	line("rows", func(c cost) float64 { return c.Rows })
	line("MB of log", func(c cost) float64 { return c.Log / 1e6 })
	line("cores of servers", func(c cost) float64 { return c.Server })
	line("cores of PostgreSQL", func(c cost) float64 { return c.Database })
	line("MB workers to servers", func(c cost) float64 { return c.WorkerWire / 1e6 })
	line("MB servers to database", func(c cost) float64 { return c.DatabaseWire / 1e6 })
	t.Flush()
	fmt.Printf("  %.0f regions are released to at once; %.0f workers have %.0f connections; %.0f looks for drift a second\n", n.Legs, n.Workers, n.Connections, n.Drift)
	fmt.Printf("  a day adds %.3g rows and %.3g GB and writes %.3g GB of log\n", n.Day.Rows, n.Day.Bytes/1e9, n.Day.Log/1e9)
	fmt.Printf("  after %g years %.3g TB: samples of %g days %.3g, lines of %g days %.3g, what is always kept %.3g\n",
		l.Years, n.Kept/1e12, l.KeepSamples, n.KeptSamples/1e12, l.KeepEvents, n.KeptEvents/1e12, n.KeptRest/1e12)
	printWalls(l, u)
}

func printWalls(l load, u *units) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "wall\tneeded\tassumed limit\t\treached at releases a day\t")
	for _, w := range l.walls(u, assumed()) {
		need, limit := w.Need, w.Limit
		switch w.Unit {
		case "MB/s":
			need, limit = need/1e6, limit/1e6
		case "TB":
			need, limit = need/1e12, limit/1e12
		}
		at := fmt.Sprintf("%.3g", w.At*l.Releases)
		switch {
		case w.At == 0:
			at = "whatever is released"
		case math.IsInf(w.At, 1):
			at = "never"
		}
		fmt.Fprintf(t, "%s\t%.3g\t%.3g\t%s\t%s\t\n", w.Name, need, limit, w.Unit, at)
	}
	t.Flush()
}
