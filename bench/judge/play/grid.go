package play

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairwayhq/fairway/bench/judge/world"
)

// Cell is one player in one place, many times.
type Cell struct {
	Player   string
	Service  world.Service
	Noise    world.Noise
	Scenario world.Scenario
	Rules    Rules
	Runs     int
	// Make makes a player for one run.
	Make func() Player
}

// Name says which cell it is.
func (c *Cell) Name() string {
	return c.Player + "/" + c.Service.Name + "/" + c.Noise.Name + "/" + c.Scenario.Name
}

// Outcome is what came of a cell: one result per run, in the order of the seeds.
type Outcome struct {
	Cell
	Results []Result
}

// Grid plays all cells on all cores. Run i has the same seed in every cell, so that
// players meet the same weather; the outcome does not depend on the number of cores.
// done, if not nil, is told after each run how many there have been.
func Grid(cells []Cell, series uint64, done func(runs int64)) []Outcome {
	outcomes := make([]Outcome, len(cells))
	type job struct{ cell, run int }
	jobs := make(chan job)
	var workers sync.WaitGroup
	var finished atomic.Int64
	for i := range cells {
		outcomes[i] = Outcome{Cell: cells[i], Results: make([]Result, cells[i].Runs)}
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				c := &cells[j.cell]
				w := world.New(c.Service, c.Noise, c.Scenario, world.Seed(series, uint64(j.run)))
				outcomes[j.cell].Results[j.run] = Run(w, c.Make(), c.Rules)
				if n := finished.Add(1); done != nil {
					done(n)
				}
			}
		})
	}
	for i := range cells {
		for run := range cells[i].Runs {
			jobs <- job{i, run}
		}
	}
	close(jobs)
	workers.Wait()
	return outcomes
}

// Count is how many results are so.
func (o *Outcome) Count(is func(Result) bool) int {
	n := 0
	for _, r := range o.Results {
		if is(r) {
			n++
		}
	}
	return n
}

// Share is Count as a share of all.
func (o *Outcome) Share(is func(Result) bool) float64 {
	return float64(o.Count(is)) / float64(len(o.Results))
}

// Quantile is that of a number over the results, by linear interpolation; +Inf where
// so many runs never got there.
func (o *Outcome) Quantile(q float64, of func(Result) float64) float64 {
	x := make([]float64, len(o.Results))
	for i, r := range o.Results {
		x[i] = of(r)
	}
	slices.Sort(x)
	at := q * float64(len(x)-1)
	i := int(at)
	if i+1 >= len(x) || at == float64(i) {
		return x[i]
	}
	if math.IsInf(x[i+1], 1) {
		return x[i+1]
	}
	return x[i] + (at-float64(i))*(x[i+1]-x[i])
}

// Median is the middle one.
func (o *Outcome) Median(of func(Result) float64) float64 { return o.Quantile(0.5, of) }

// What one asks of results.
var (
	WasTakenBack = func(r Result) bool { return r.TakenBack }
	WasPromoted  = func(r Result) bool { return !r.TakenBack && !math.IsInf(r.To100, 1) }
	Harm         = func(r Result) float64 { return r.Harm }
	Back         = func(r Result) float64 { return r.Back }
	To50         = func(r Result) float64 { return r.To50 }
	To95         = func(r Result) float64 { return r.To95 }
	To100        = func(r Result) float64 { return r.To100 }
)
