// Package report tells people what a benchmark found: tables on a terminal, and plots.
package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table is rows under a title and heads. The first column is text, the others numbers.
type Table struct {
	Title string
	Heads []string
	Rows  [][]string
	// Note is said below.
	Note string
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Print writes the table, if it has rows, without columns that are empty.
func (t *Table) Print(w io.Writer) {
	if len(t.Rows) == 0 {
		return
	}
	t.dropEmpty()
	fmt.Fprintf(w, "%s\n", t.Title)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Heads}, t.Rows...) {
		// Right-aligned cells end with a tab each; the first is padded to stand left.
		fmt.Fprintf(table, "  %-*s\t%s\t\n", t.widest(), row[0], strings.Join(row[1:], "\t"))
	}
	table.Flush()
	if t.Note != "" {
		fmt.Fprintf(w, "  %s\n", t.Note)
	}
	fmt.Fprintln(w)
}

func (t *Table) dropEmpty() {
	for c := len(t.Heads) - 1; c > 0; c-- {
		if slices.ContainsFunc(t.Rows, func(row []string) bool { return row[c] != "" }) {
			continue
		}
		t.Heads = slices.Delete(t.Heads, c, c+1)
		for i := range t.Rows {
			t.Rows[i] = slices.Delete(t.Rows[i], c, c+1)
		}
	}
}

func (t *Table) widest() int {
	n := len([]rune(t.Heads[0]))
	for _, r := range t.Rows {
		n = max(n, len([]rune(r[0])))
	}
	return n
}

// Percent is a share for people.
func Percent(share float64) string {
	switch p := 100 * share; {
	case math.IsNaN(p):
		return "–"
	case p == 0 || p >= 99.95:
		return fmt.Sprintf("%.0f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// Number is a number of requests or seconds, or "never" for +Inf.
func Number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 0):
		return "never"
	case x < 10:
		return fmt.Sprintf("%.1f", x)
	case x < 1e5:
		return fmt.Sprintf("%.0f", x)
	case x < 1e6:
		return fmt.Sprintf("%.0fk", x/1e3)
	default:
		return fmt.Sprintf("%.1fM", x/1e6)
	}
}
