package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
)

// printUnits prints the costs for people.
func printUnits(u *units) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tupdates\tviews\tstatements\trows\tkB kept\tkB log\tserver ms\tPostgreSQL ms\tkB workers\tkB database\t")
	line := func(name string, c cost) {
		fmt.Fprintf(t, "%s\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t\n", name, c.Updates, c.Views, c.Statements,
			c.Rows, c.Bytes/1e3, c.Log/1e3, c.Server*1e3, c.Database*1e3, c.WorkerWire/1e3, c.DatabaseWire/1e3)
	}
	line("idle server, a second", u.Idle)
	line("waiting worker, a second", u.Waiting)
	line("its look after a commit", u.Look)
	line("its second, for 1,000 tasks", cost{}.plus(1000, u.LookTask))
	line("held task, a second", u.Held)
	line("its worker, a second", u.Holder)
	line("target, once", u.Target)
	for _, r := range u.Releases {
		line(fmt.Sprintf("release to %d regions", r.Regions), r.Release)
	}
	for _, r := range u.Releases {
		line(fmt.Sprintf("the same, per region (of %d)", r.Regions), r.Release.per(float64(r.Regions)))
	}
	for _, r := range u.Releases {
		line(fmt.Sprintf("sample of one of %d regions", r.Regions), r.Sample)
	}
	t.Flush()
	for _, r := range u.Releases {
		fmt.Printf("  %3d regions: %.0f lines of the ledger with %.0f B each, %.0f B a sample, a run of %.1f kB\n",
			r.Regions, r.Lines, r.LineBytes/r.Lines, r.Sample.Bytes, r.Run/1e3)
	}
	fmt.Printf("  %.2f signs of life of a held task a second; %.1f connections of a waiting worker\n", u.SignsPerSecond, u.Connections)
}

// printTables tells which tables have grown by what, for each release.
func printTables(m measured, releases float64) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range slices.Sorted(maps.Keys(m.tables)) {
		fmt.Fprintf(t, "      %s\t%.1f rows\t%.1f kB\t\n", name, m.tables[name].Rows/releases, m.tables[name].Bytes/releases/1e3)
	}
	t.Flush()
}
