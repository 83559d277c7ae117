package main

import (
	"fmt"
	"strings"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/rival"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

const fairway = "Fairway"

// healthyTimes is how many times as many runs a healthy release gets as a faulty one:
// a false alarm is rare, and the bar is about the rare.
const healthyTimes = 5

// bench makes the cells.
type bench struct {
	config
	plans map[string]*own.Plan
	cells []play.Cell
	known map[string]bool
}

// compared are the faults and services over which harm is compared.
var (
	compared         = []world.Scenario{world.Errors5pp, world.Errors100, world.Errors3, world.Tail100}
	comparedServices = world.Services[1:]
	busyServices     = world.Services[2:]
)

// plan lists everything that the bars and tables need, once.
func (c config) plan() (*bench, error) {
	b := &bench{config: c, plans: map[string]*own.Plan{}, known: map[string]bool{}}
	for _, s := range world.Services {
		p, err := own.PlanFor(s, c.settings)
		if err != nil {
			return nil, err
		}
		b.plans[s.Name] = p
	}
	for _, s := range world.Services {
		for _, n := range world.Noises {
			runs := c.runs
			if n.Name == world.Real.Name || n.Name == world.Harsh.Name {
				runs *= healthyTimes
			}
			b.own(s, n, world.AA, runs)
		}
		b.own(s, world.Real, world.Immaterial, c.runs)
		for _, f := range world.Faults {
			b.own(s, world.Real, f, c.runs)
		}
	}
	for _, s := range comparedServices {
		for _, f := range compared {
			b.others(s, f)
		}
	}
	for _, s := range world.Services {
		b.others(s, world.AA)
	}
	if len(b.cells) == 0 {
		return nil, fmt.Errorf("no cell has %q in its name; names are like %q", c.only, fairway+"/200/s/real/errors x3")
	}
	return b, nil
}

func (b *bench) own(s world.Service, n world.Noise, f world.Scenario, runs int) {
	b.add(play.Cell{
		Player: fairway, Service: s, Noise: n, Scenario: f, Runs: runs,
		Make: func() play.Player { return own.New(b.plans[s.Name]) },
	})
}

// others are the oracles, the tools as they are, and their rules on Fairway's weights.
func (b *bench) others(s world.Service, f world.Scenario) {
	cell := play.Cell{Service: s, Noise: world.Real, Scenario: f, Runs: b.runs}
	add := func(name string, make func() play.Player) {
		cell.Player, cell.Make = name, make
		b.add(cell)
	}
	plan := b.plans[s.Name]
	if f != world.AA {
		add(rival.OracleName, func() play.Player { return rival.NewOracle(plan, s) })
		add(rival.InformedName, func() play.Player { return rival.NewInformed(plan, s) })
	}
	for i := range rival.Tools {
		t := &rival.Tools[i]
		add(t.Title(), func() play.Player { return t.Play(s, b.scrape) })
		add(t.Title()+rival.OnOurWeights, func() play.Player { return t.PlayOn(plan, s, b.scrape) })
	}
}

// add keeps a cell that is wanted.
func (b *bench) add(c play.Cell) {
	c.Rules = play.Rules{Scrape: b.scrape, Length: b.length, Endless: c.Player == fairway && c.Scenario == world.AA}
	wanted := b.only == ""
	for part := range strings.SplitSeq(b.only, ",") {
		wanted = wanted || strings.Contains(c.Name(), part)
	}
	if wanted {
		b.cells = append(b.cells, c)
	}
}

// results finds outcomes by name.
type results map[string]*play.Outcome

func index(outcomes []play.Outcome) results {
	r := results{}
	for i := range outcomes {
		r[outcomes[i].Name()] = &outcomes[i]
	}
	return r
}

// of is the outcome of a cell, or nil if it was not played.
func (r results) of(player string, s world.Service, n world.Noise, f world.Scenario) *play.Outcome {
	c := play.Cell{Player: player, Service: s, Noise: n, Scenario: f}
	return r[c.Name()]
}
