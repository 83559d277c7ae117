package main

import (
	"math"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/rival"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// every makes a result for each cell of a small bench.
func every(t *testing.T, result func(play.Cell) play.Result) results {
	t.Helper()
	b, err := config{runs: 2, scrape: 15 * time.Second, length: 90 * time.Minute}.plan()
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []play.Outcome
	for _, c := range b.cells {
		o := play.Outcome{Cell: c}
		for range c.Runs {
			o.Results = append(o.Results, result(c))
		}
		outcomes = append(outcomes, o)
	}
	r := index(outcomes)
	if len(r) != len(b.cells) {
		t.Errorf("%d cells have %d names", len(b.cells), len(r))
	}
	return r
}

func TestEveryBarHasItsCells(t *testing.T) {
	never := math.Inf(1)
	r := every(t, func(c play.Cell) play.Result {
		harm := 8.0
		switch c.Player {
		case rival.OracleName:
			harm = 2
		case "Flagger":
			harm = 800
		case "Argo":
			harm = 0.1 // counts as 0.5
		}
		return play.Result{Harm: harm, Passed: 500, To95: 500, To100: never, Back: never, TakenBack: c.Noise.Name == "harsh"}
	})
	want := map[string]float64{
		"false_rollback_real": 0, "false_rollback_harsh": 100, "immaterial_kept": 100, "harm_vs_oracle": 4,
		"harm_vs_flagger": 0.01, "harm_vs_argo": 16, "harm_vs_kayenta": 1, "missed_material": 0,
		"promote_seconds_200": 500, "promote_seconds_10000": 500, "proven_5": 100,
	}
	for _, b := range bars(r) {
		if w, ok := want[b.Name]; !ok || math.Abs(b.Value-w) > 1e-9 {
			t.Errorf("%s is %v, want %v", b.Name, b.Value, w)
		}
		delete(want, b.Name)
	}
	if len(want) > 0 {
		t.Errorf("no bar for %v", want)
	}
}

// Released unproven to 100 % is missed; what is neither back nor out is not.
func TestMissedIsWhatIsPromoted(t *testing.T) {
	r := every(t, func(c play.Cell) play.Result {
		to100 := math.Inf(1)
		if c.Scenario.Name == world.Tail20.Name && c.Service.Rate == 200 {
			to100 = 2000
		}
		return play.Result{To95: to100, To100: to100, Back: math.Inf(1)}
	})
	promoted, runs, ok := r.pooled(busyServices, world.Real, material(), play.WasPromoted)
	if !ok || promoted != 2 || runs != 2*2*len(material()) {
		t.Errorf("%d of %d are promoted", promoted, runs)
	}
	for _, b := range bars(r) {
		if b.Name == "promote_seconds_200" && (b.Value != 5400 || b.OK) {
			t.Errorf("never promoted is %v s", b.Value)
		}
	}
}

func TestABarNeedsAllItsCells(t *testing.T) {
	b, err := config{runs: 1, scrape: 15 * time.Second, length: time.Hour, only: "Fairway/200/s/real/A/A"}.plan()
	if err != nil || len(b.cells) != 1 {
		t.Fatalf("%d cells, %v", len(b.cells), err)
	}
	r := index(play.Grid(b.cells, 1, nil))
	if all := bars(r); len(all) != 1 || all[0].Name != "promote_seconds_200" {
		t.Errorf("%v", all)
	}
	if _, err := (config{only: "nobody"}).plan(); err == nil {
		t.Error("no cell at all is taken for a wish")
	}
}

func TestTheUpperBoundIsClopperAndPearsons(t *testing.T) {
	for _, tc := range []struct {
		n, of int
		bound float64
	}{{0, 1000, 1 - math.Pow(0.05, 1.0/1000)}, {1, 10, 0.3942}, {5, 5, 1}} {
		if b := upperBound(tc.n, tc.of); math.Abs(b-tc.bound) > 1e-4 {
			t.Errorf("%d of %d: %v, want %v", tc.n, tc.of, b, tc.bound)
		}
	}
}

func TestJudgingCostsTimeAndNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a benchmark takes a second")
	}
	if c := costOfJudging(15 * time.Second); c.microseconds <= 0 || c.allocations != 0 {
		t.Errorf("%+v", c)
	}
}
