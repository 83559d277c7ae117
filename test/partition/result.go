package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
)

// result is what came of it.
type result struct {
	options options

	mu     sync.Mutex
	cuts   []cutOff
	plains []time.Duration
	faults []string

	// accepted is how many verbs the targets have accepted, double how many of them had a
	// fence below one that had been accepted before they began.
	accepted, double int

	took time.Duration
}

func (r *result) add(x cutOff) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cuts = append(r.cuts, x)
}

func (r *result) plain(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plains = append(r.plains, d)
}

func (r *result) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := time.Now().Format("15:04:05 ") + fmt.Sprintf(format, args...)
	r.faults = append(r.faults, f)
	fmt.Fprintln(r.options.out, "WRONG:", f)
}

// made are how many workers were cut off, and how many were lost.
func (r *result) made() (cuts, losses int) {
	for _, x := range r.cuts {
		if x.lost {
			losses++
		} else {
			cuts++
		}
	}
	return cuts, losses
}

// late are the steps that were made by a worker that was cut off, while it knew that.
func (r *result) late() (n int) {
	for _, x := range r.cuts {
		if !x.lost {
			n += x.late
		}
	}
	return n
}

// retreats are how long bad versions had traffic that was taken back during a cut, from
// workers that were not killed or frozen.
func (r *result) retreats() (all []time.Duration) {
	for _, x := range r.cuts {
		if x.bad && !x.killed && !x.lost && x.retreated() {
			all = append(all, x.gone.Sub(x.first))
		}
	}
	return all
}

// stayed are the bad versions that were cut off with traffic and kept it to the end of
// the cut.
func (r *result) stayed() (n int) {
	for _, x := range r.cuts {
		if x.bad && !x.lost && (x.gone.IsZero() || x.gone.After(x.ends)) {
			n++
		}
	}
	return n
}

// ratio is by how much longer a bad version keeps traffic when its worker is cut off.
func (r *result) ratio() float64 {
	cut, plain := median(r.retreats()), median(r.plains)
	if plain == 0 {
		return 0
	}
	return float64(cut) / float64(plain)
}

func (r *result) print(w io.Writer) error {
	r.table(w)
	for _, f := range r.faults {
		fmt.Fprintln(w, "WRONG:", f)
	}
	return bar.Print(w, r.bars())
}

// bars are met only where as many cuts and losses were made as were asked for, and nothing
// went wrong.
func (r *result) bars() []bar.Bar {
	cuts, losses := r.made()
	fine := cuts == r.options.cuts && losses == r.options.losses && len(r.faults) == 0
	return []bar.Bar{
		{Name: "advances_while_cut_off", Value: float64(r.late()), Unit: fmt.Sprintf("in %d cuts", cuts), Bar: "= 0", OK: r.late() == 0 && cuts > 0 && fine},
		r.slower(fine),
		r.unwatched(fine),
		{Name: "double_steering", Value: float64(r.double), Unit: fmt.Sprintf("of %d verbs", r.accepted), Bar: "= 0", OK: r.double == 0 && r.accepted > 0 && fine},
	}
}

// slower is the ratio, which is that of the versions whose traffic was taken back: one that kept
// it is in no median, so where there is one the bar is missed.
func (r *result) slower(fine bool) bar.Bar {
	b := bar.AtMost("retreat_cut_off_ratio", r.ratio(), "x", 1.2)
	stayed := r.stayed()
	if stayed > 0 {
		b.Unit = fmt.Sprintf("x, but %d kept their traffic", stayed)
	}
	b.OK = b.OK && stayed == 0 && fine && len(r.plains) > 0 && len(r.retreats()) > 0
	return b
}

// unwatched is the longest time that nobody looked at a canary whose worker was lost. The bar is
// missed where less than half of the losses met a canary with traffic.
func (r *result) unwatched(fine bool) bar.Bar {
	alone, never := r.alone()
	_, losses := r.made()
	b := bar.AtMost("unwatched_seconds", 0, fmt.Sprintf("s in %d of %d losses", len(alone), losses), (r.options.lease + lookWithin).Seconds())
	if len(alone) > 0 {
		b = bar.AtMost(b.Name, math.Round(slices.Max(alone).Seconds()*10)/10, b.Unit, (r.options.lease + lookWithin).Seconds())
	}
	b.OK = b.OK && len(alone) > 0 && 2*len(alone) >= losses && never == 0 && fine
	return b
}

func (r *result) table(w io.Writer) {
	kinds := map[string][]cutOff{}
	for _, x := range r.cuts {
		kinds[x.kind()] = append(kinds[x.kind()], x)
	}
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RELEASE\tCUTS\tSWALLOWED\tSTEPS JUST BEGUN\tLATER STEPS\tTAKEN BACK DURING THE CUT\tMEDIAN\tJOURNALS\tLEFT ALONE")
	for _, k := range names {
		var steps, late, swallows, taken, kept int
		var times []time.Duration
		var alone time.Duration
		for _, x := range kinds[k] {
			steps, late = steps+x.steps-x.late, late+x.late
			if x.how == swallowed {
				swallows++
			}
			if x.retreated() {
				taken++
				times = append(times, x.gone.Sub(x.first))
			}
			if x.kept {
				kept++
			}
			d, _ := x.alone()
			alone = max(alone, d)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%d\t%s\n", k, len(kinds[k]), swallows, steps, late, taken, median(times).Round(10*time.Millisecond), kept, alone.Round(10*time.Millisecond))
	}
	_ = t.Flush()
	fmt.Fprintf(w, "a bad version has traffic for %s with a connection (median of %d), for %s cut off (median of %d); %d kept it to the end of a cut\n",
		median(r.plains).Round(10*time.Millisecond), len(r.plains), median(r.retreats()).Round(10*time.Millisecond), len(r.retreats()), r.stayed())
	alone, never := r.alone()
	fmt.Fprintf(w, "nobody looked at a canary for %s after its worker was lost (median of %d); at %d of them until the end of the cut; it took %s\n",
		median(alone).Round(10*time.Millisecond), len(alone), never, r.took.Round(time.Second))
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// verb is one that a target has accepted.
type verb struct{ fence, began, ended int64 }

// doubles counts the verbs that were accepted, and those among them that began after the
// target had accepted one with a greater fence.
func doubles(trace string) (accepted, double int, err error) {
	text, err := os.ReadFile(trace)
	if err != nil {
		return 0, 0, err
	}
	verbs := map[string][]verb{}
	for line := range strings.Lines(string(text)) {
		l := strings.Fields(line) // ENDED PID verb VERB TARGET FENCE HOW BEGAN
		if len(l) != 8 || l[2] != "verb" || l[6] != "ok" {
			continue
		}
		v := verb{}
		for word, into := range map[string]*int64{l[0]: &v.ended, l[5]: &v.fence, l[7]: &v.began} {
			if *into, err = strconv.ParseInt(word, 10, 64); err != nil {
				return 0, 0, err
			}
		}
		verbs[l[4]] = append(verbs[l[4]], v)
	}
	for _, all := range verbs {
		accepted += len(all)
		for _, v := range all {
			if slices.ContainsFunc(all, func(u verb) bool { return u.fence > v.fence && u.ended < v.began }) {
				double++
			}
		}
	}
	return accepted, double, nil
}
