package bar

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Part is a part of a benchmark that can be measured alone.
type Part struct {
	Name    string
	Measure func(ctx context.Context) ([]Bar, error)
}

// Measure measures the parts in their order and prints all bars. only names the parts to
// measure, with commas between; empty is all. The first error ends it.
func Measure(ctx context.Context, w io.Writer, parts []Part, only string) error {
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	asked := names
	if only != "" {
		asked = strings.Split(only, ",")
	}
	for _, name := range asked {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no part %q; the parts are %s", name, strings.Join(names, ", "))
		}
	}
	var bars []Bar
	for _, p := range parts {
		if !slices.Contains(asked, p.Name) {
			continue
		}
		fmt.Fprintf(w, "=== %s\n", p.Name)
		measured, err := p.Measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		bars = append(bars, measured...)
	}
	fmt.Fprintln(w)
	return Print(w, bars)
}
