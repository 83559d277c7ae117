package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/report"
	"github.com/fairwayhq/fairway/bench/judge/rival"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

func tables(r results) []*report.Table {
	return []*report.Table{falseAlarms(r), faults(r), harms(r, false), harms(r, true), ratios(r), othersHealthy(r)}
}

// falseAlarms are Fairway's healthy releases.
func falseAlarms(r results) *report.Table {
	t := &report.Table{
		Title: "Healthy releases (A/A), judged at every scrape to the end whatever was promoted",
		Heads: []string{"noise, traffic", "runs", "taken back", "95 % bound", "proven", "in 1 h", "waiting", "to 50 %", "to 95 %", "p95", "to 100 %", "taken back by"},
		Note:  "Times are medians in seconds. Waiting: a person is asked at the end. By: the stage and the metric that weighed most.",
	}
	for _, n := range world.Noises {
		var back, runs int
		for _, s := range world.Services {
			o := r.of(fairway, s, n, world.AA)
			if o == nil {
				continue
			}
			k := o.Count(play.WasTakenBack)
			back, runs = back+k, runs+len(o.Results)
			t.Add(n.Name+", "+s.Name, fmt.Sprint(len(o.Results)), fmt.Sprintf("%d (%s)", k, report.Percent(share(k, len(o.Results)))),
				report.Percent(upperBound(k, len(o.Results))),
				report.Percent(o.Share(func(r play.Result) bool { return !math.IsInf(r.Passed, 1) })),
				report.Percent(o.Share(provenWithinTheHour)),
				report.Percent(o.Share(func(r play.Result) bool { return r.Waiting })),
				report.Number(o.Median(play.To50)), report.Number(o.Median(play.To95)), report.Number(o.Quantile(0.95, play.To95)), report.Number(o.Median(play.To100)), reasons(o))
		}
		if runs > 0 {
			t.Add(n.Name+", all", fmt.Sprint(runs), fmt.Sprintf("%d (%s)", back, report.Percent(share(back, runs))), report.Percent(upperBound(back, runs)), "", "", "", "", "", "", "", "")
		}
	}
	return t
}

// reasons counts why releases were taken back.
func reasons(o *play.Outcome) string {
	count := map[string]int{}
	for _, r := range o.Results {
		if r.TakenBack {
			count[r.Reason]++
		}
	}
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%s %d", reason, count[reason]))
	}
	return strings.Join(all, ", ")
}

// faults are Fairway's releases with a fault.
func faults(r results) *report.Table {
	t := &report.Table{
		Title: "Faulty releases, real noise",
		Heads: []string{"traffic, fault", "taken back", "promoted", "neither", "median harm", "p95", "seconds to back", "p95"},
		Note:  "Harm: bad requests that the fault made until the release was gone, or in all. Seconds: of those taken back.",
	}
	for _, s := range world.Services {
		for _, f := range append([]world.Scenario{world.Immaterial}, world.Faults...) {
			o := r.of(fairway, s, world.Real, f)
			if o == nil {
				continue
			}
			back, promoted := o.Share(play.WasTakenBack), o.Share(play.WasPromoted)
			t.Add(s.Name+", "+f.Name, report.Percent(back), report.Percent(promoted), report.Percent(math.Max(0, 1-back-promoted)),
				report.Number(o.Median(play.Harm)), report.Number(o.Quantile(0.95, play.Harm)),
				report.Number(ofThoseBack(o, 0.5)), report.Number(ofThoseBack(o, 0.95)))
		}
	}
	return t
}

// ofThoseBack is a quantile of the time to the rollback; NaN if there was none.
func ofThoseBack(o *play.Outcome, q float64) float64 {
	back := play.Outcome{}
	for _, r := range o.Results {
		if r.TakenBack {
			back.Results = append(back.Results, r)
		}
	}
	if len(back.Results) == 0 {
		return math.NaN()
	}
	return back.Quantile(q, play.Back)
}

// oracles are those who know something about the fault.
var oracles = []string{rival.OracleName, rival.InformedName}

// players are Fairway, the oracles, and the tools: as they are, or on Fairway's weights.
func players(onOurs bool) []string {
	names := append([]string{fairway}, oracles...)
	for i := range rival.Tools {
		name := rival.Tools[i].Title()
		if onOurs {
			name += rival.OnOurWeights
		}
		names = append(names, name)
	}
	return names
}

// harms puts the players side by side.
func harms(r results, onOurs bool) *report.Table {
	t := &report.Table{Title: "Median harm, and the share taken back: every tool as it is", Heads: []string{"traffic, fault"}}
	if onOurs {
		t.Title = "The same, every rule on Fairway's weights: what is left is the judge's part"
	}
	names := players(onOurs)
	for _, n := range names {
		t.Heads = append(t.Heads, short(n))
	}
	for _, s := range comparedServices {
		for _, f := range compared {
			row, some := []string{s.Name + ", " + f.Name}, false
			for _, n := range names {
				o := r.of(n, s, world.Real, f)
				if o == nil {
					row = append(row, "")
					continue
				}
				some = true
				row = append(row, fmt.Sprintf("%s (%.0f %%)", report.Number(o.Median(play.Harm)), 100*o.Share(play.WasTakenBack)))
			}
			if some {
				t.Add(row...)
			}
		}
	}
	return t
}

// short leaves out what a table's title says.
func short(name string) string {
	if n := len(name) - len(rival.OnOurWeights); n > 0 && name[n:] == rival.OnOurWeights {
		return name[:n]
	}
	return name
}

// ratios are the geometric means over the faults.
func ratios(r results) *report.Table {
	t := &report.Table{
		Title: "Fairway's harm over another's: the geometric mean over the faults above",
		Heads: []string{"over", "5/s", "200/s", "10000/s", "all", "as it is to ours"},
		Note:  "Medians below 0.5 count as 0.5.",
	}
	for _, n := range append(players(false)[1:], players(true)[1+len(oracles):]...) {
		row, played := []string{n}, true
		for _, s := range comparedServices {
			ratio, ok := r.harmRatio(fairway, n, []world.Service{s})
			played = played && ok
			row = append(row, times(ratio))
		}
		all, ok := r.harmOver(n)
		if !played || !ok {
			continue
		}
		t.Add(append(row, times(all), times(1/all))...)
	}
	return t
}

func times(x float64) string {
	switch {
	case x >= 0.1:
		return fmt.Sprintf("%.2f", x)
	case x > 0:
		return fmt.Sprintf("1/%.0f", 1/x)
	}
	return "–"
}

// othersHealthy are healthy releases of the other tools.
func othersHealthy(r results) *report.Table {
	t := &report.Table{
		Title: "Healthy releases of all, real noise: taken back (median seconds to at least 95 %)",
		Heads: []string{"", "0.1/s", "5/s", "200/s", "10000/s"},
	}
	names := append(players(false), players(true)[1+len(oracles):]...)
	for _, n := range names {
		row, some := []string{n}, false
		for _, s := range world.Services {
			o := r.of(n, s, world.Real, world.AA)
			if o == nil {
				row = append(row, "")
				continue
			}
			some = true
			row = append(row, fmt.Sprintf("%s (%s)", report.Percent(o.Share(play.WasTakenBack)), report.Number(o.Median(play.To95))))
		}
		if some {
			t.Add(row...)
		}
	}
	return t
}

// savePlots writes the plots of bench/README.md.
func savePlots(dir string, r results) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tools := []string{"Flagger", "Argo", "Kayenta", "PipeCD"}
	healthy := append([]string{fairway}, tools...)
	documented := append([]string{fairway, rival.OracleName}, tools...)
	onOurs := []string{fairway, rival.OracleName}
	for _, n := range tools {
		onOurs = append(onOurs, n+rival.OnOurWeights)
	}
	for name, c := range map[string]*report.Chart{
		"judge-harm.svg":         harmChart(r, "Bad requests that a bad release makes before it is gone (median)", documented),
		"judge-harm-weights.svg": harmChart(r, "The same, with every rule on Fairway's weights", onOurs),
		"judge-false-alarms.svg": healthyChart(r, "Healthy releases that are taken back", "%", healthy, func(o *play.Outcome) float64 { return o.Share(play.WasTakenBack) }),
		"judge-time.svg":         healthyChart(r, "Seconds until a healthy release has at least 95 % of the traffic (median)", "", healthy, func(o *play.Outcome) float64 { return o.Median(play.To95) }),
	} {
		if err := c.Save(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func harmChart(r results, title string, names []string) *report.Chart {
	c := &report.Chart{Title: title, Log: true, Least: leastHarm}
	for _, n := range names {
		c.Series = append(c.Series, short(n))
	}
	for _, s := range comparedServices {
		for _, f := range compared {
			g := report.Group{Name: s.Name + ", " + f.Name}
			for _, n := range names {
				v := math.NaN()
				if o := r.of(n, s, world.Real, f); o != nil {
					v = harm(o)
				}
				g.Values = append(g.Values, v)
			}
			c.Groups = append(c.Groups, g)
		}
	}
	return c
}

func healthyChart(r results, title, unit string, names []string, of func(*play.Outcome) float64) *report.Chart {
	c := &report.Chart{Title: title, Unit: unit, Series: names}
	for _, s := range world.Services {
		g := report.Group{Name: s.Name}
		for _, n := range names {
			v := math.NaN()
			if o := r.of(n, s, world.Real, world.AA); o != nil {
				v = of(o)
			}
			g.Values = append(g.Values, v)
		}
		c.Groups = append(c.Groups, g)
	}
	return c
}
