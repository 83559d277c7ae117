package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// manyRegions is how many regions of a wave are named.
const manyRegions = 8

// takesBack says what a failure means for the waves before it.
var takesBack = map[pipeline.TakeBack]string{
	pipeline.TakeBackAll:  "a failure takes all of them back",
	pipeline.TakeBackWave: "a failure takes its own wave back",
	pipeline.TakeBackAsk:  "a failure takes its own wave back and asks about those before",
}

// shownBefore tells whether an entry before stands for this one: the same service's in another
// region of the environment.
func shownBefore(p *pipeline.Plan, i int) bool {
	e := &p.Environments[i]
	return e.Wave() > 0 && slices.ContainsFunc(p.Environments[:i], func(o pipeline.Environment) bool {
		return o.Wave() > 0 && o.In() == e.In() && o.Service == e.Service
	})
}

// printOrder shows, before the first of the entries of an environment with several, in which
// order a release goes to them.
func printOrder(w io.Writer, p *pipeline.Plan, i int) {
	e := &p.Environments[i]
	first := !slices.ContainsFunc(p.Environments[:i], func(o pipeline.Environment) bool { return o.Wave() > 0 && o.In() == e.In() })
	if e.Wave() == 0 || !first {
		return
	}
	printSteps(w, p, e.In())
	if e.Place() != e.In() {
		printWaves(w, p, i)
	}
}

// printSteps shows in which order the services of a release go to an environment.
func printSteps(w io.Writer, p *pipeline.Plan, in string) {
	if services := p.ServicesIn(in); len(services) > 1 {
		fmt.Fprintf(w, "%s has %d services, one after the other: %s; a failure takes all of them back, the last one first\n", in, len(services), strings.Join(services, ", "))
	}
}

// printWaves shows in which order a release goes to the regions of an environment, whose
// first is the entry at i.
func printWaves(w io.Writer, p *pipeline.Plan, i int) {
	in, bake := p.Environments[i].In(), pipeline.Duration(0)
	waves := map[int][]string{}
	regions := 0
	for _, j := range p.Entries(in) {
		e := &p.Environments[j]
		if e.Wave() > 0 && e.Step() < 2 {
			regions++
			bake = max(bake, e.Leg.Bake)
			waves[e.Wave()] = append(waves[e.Wave()], e.Region)
		}
	}
	fmt.Fprintf(w, "%s has %d regions in %d waves", in, regions, len(waves))
	if bake > 0 {
		fmt.Fprintf(w, ", %s between two", forTime(bake.Std()))
	}
	fmt.Fprintf(w, "; %s\n", takesBack[p.Environments[i].Leg.TakeBack])
	var rows [][]string
	for n := 1; n <= len(waves); n++ {
		rows = append(rows, []string{fmt.Sprintf("  %d", n), some(waves[n])})
	}
	printTable(w, []string{"  WAVE", "REGIONS"}, rows)
	fmt.Fprintf(w, "\nIn each region, as in ")
}

// some names the first of many.
func some(names []string) string {
	if len(names) <= manyRegions {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:manyRegions-1], ", "), len(names)-manyRegions+1)
}
