// Package bar prints what a benchmark measured against what it promised: a
// table for people and, as the last line, one JSON object for scripts.
//
//	bar.Print(os.Stdout, []bar.Bar{bar.AtLeast("router_vs_caddy", 1.31, "x", 1.2)})
//
// A bar that is not met is printed as such; it is not an error of the benchmark.
package bar

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// Bar is one measured value beside its promise.
type Bar struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Bar is the promise as people write it, for instance "<= 15".
	Bar string `json:"bar"`
	OK  bool   `json:"ok"`
}

// AtLeast makes a bar that is met when value ≥ bound.
func AtLeast(name string, value float64, unit string, bound float64) Bar {
	return Bar{Name: name, Value: value, Unit: unit, Bar: ">= " + number(bound), OK: value >= bound}
}

// AtMost makes a bar that is met when value ≤ bound.
func AtMost(name string, value float64, unit string, bound float64) Bar {
	return Bar{Name: name, Value: value, Unit: unit, Bar: "<= " + number(bound), OK: value <= bound}
}

// Print writes the table and, as its last line, {"bars":[…]}. Every value must
// be finite, for JSON has no other numbers.
func Print(w io.Writer, bars []Bar) error {
	if bars == nil {
		bars = []Bar{}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVALUE\tUNIT\tBAR\tMET")
	for _, b := range bars {
		if math.IsNaN(b.Value) || math.IsInf(b.Value, 0) {
			return fmt.Errorf("print bar %s: %v is not a measurement", b.Name, b.Value)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", b.Name, number(b.Value), b.Unit, b.Bar, met(b.OK))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print bars: %w", err)
	}
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false) // "<= 15" is for people too
	return line.Encode(struct {
		Bars []Bar `json:"bars"`
	}{bars})
}

func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func met(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}
