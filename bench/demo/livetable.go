package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// print tells each release, what they come to, and whether the figures can be trusted.
func (r *live) print(w io.Writer) {
	fmt.Fprintln(w)
	for _, f := range flaws {
		r.printTrials(w, f)
	}
	fmt.Fprintln(w)
	r.printSums(w)
	fmt.Fprintln(w)
	r.printUsers(w)
	fmt.Fprintln(w)
}

func (r *live) printTrials(w io.Writer, f flaw) {
	trials := r.of(f)
	slices.SortFunc(trials, func(a, b trial) int { return cmp.Compare(a.harm(), b.harm()) })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\tHARM\tOF ITS ANSWERS\tTRAFFIC TO BACK\tLAST WEIGHT\tTHE JUDGE SAID LAST\n", f.name)
	for _, t := range trials {
		reason := t.reason
		if !t.noticed {
			reason = "NOT TAKEN BACK: " + reason
		}
		fmt.Fprintf(table, "%s\t%.1f\t%d\t%.0f s\t%.2g %%\t%s\n", t.lane, t.harm(), t.canary.answers, t.took.Seconds(), 100*t.weight, reason)
	}
	_ = table.Flush()
}

// printSums has a row for each flaw, and for slowness one for each bound.
func (r *live) printSums(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEDIANS (LEAST–MOST)\tHARM\tANSWERS\tTRAFFIC TO BACK\tSHIP TO BACK\tSHARE OF BAD ANSWERS")
	for _, f := range flaws {
		trials := r.of(f)
		answers := figures(trials, func(t trial) float64 { return float64(t.canary.answers) })
		took := figures(trials, func(t trial) float64 { return t.took.Seconds() })
		ship := figures(trials, func(t trial) float64 { return t.ship.Seconds() })
		fmt.Fprintf(table, "%s\t%s\t%s\t%s s\t%s s\t%s\n", f.name, figures(trials, trial.harm), answers, took, ship, shares(trials, f.bad))
		for _, bound := range f.bounds {
			bad := slowerThan(bound)
			fmt.Fprintf(table, "  counted above %s\t%s\t\t\t\t%s\n", bound, figures(trials, func(t trial) float64 { return harm(t.canary, t.running, bad) }), shares(trials, bad))
		}
	}
	_ = table.Flush()
}

// figures are the median of what the trials had, the least and the most.
func figures(trials []trial, of func(trial) float64) string {
	if len(trials) == 0 {
		return "–"
	}
	x := make([]float64, len(trials))
	for i, t := range trials {
		x[i] = of(t)
	}
	return fmt.Sprintf("%.4g (%.3g–%.3g)", median(x), slices.Min(x), slices.Max(x))
}

// shares are those of bad answers of all trials together: the canaries' beside the running version's.
func shares(trials []trial, bad badness) string {
	var canary, running, canaryBad, runningBad int64
	for _, t := range trials {
		canary, canaryBad = canary+t.canary.answers, canaryBad+bad(t.canary)
		running, runningBad = running+t.running.answers, runningBad+bad(t.running)
	}
	if canary == 0 || running == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%, %s had %.2f %%", 100*float64(canaryBad)/float64(canary), sound, 100*float64(runningBad)/float64(running))
}

// latest is how late 99 % of the requests may be sent at most, in figures to be trusted:
// well below the bound of a slow answer.
const latest = 10 * time.Millisecond

// printUsers says whether the load came as it should, and whether deploying hurt.
func (r *live) printUsers(w io.Writer) {
	var unsent int64
	worst := func(q float64) time.Duration {
		var most time.Duration
		for _, report := range r.reports {
			most = max(most, report.Late.Quantile(q))
		}
		return most.Round(10 * time.Microsecond)
	}
	for _, report := range r.reports {
		unsent += report.Transport["too many in flight"]
	}
	fmt.Fprintf(w, "%d requests in all, %d failed by deploys\n", r.requests(), r.failed-unsent)
	fmt.Fprintf(w, "sent late, in the worst lane: half by at most %s, 99 %% by at most %s, 99.9 %% by at most %s; not sent: %d\n",
		worst(0.5), worst(0.99), worst(0.999), unsent)
	if late := worst(0.99); late > latest || unsent > 0 {
		fmt.Fprintln(w, "THE MACHINE WAS TOO BUSY for these figures to be trusted: measure fewer services at the same time (-live-lanes)")
	}
}
