package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// printTable prints the kills by point: survived/killed. A kill at a commit that
// wrote several kinds of lines counts for each of them.
func printTable(w io.Writer, kills []kill) {
	type cell struct{ survived, all int }
	rows := map[string]map[string]*cell{}
	count := func(k kill, point string) {
		row := rows[point]
		if row == nil {
			row = map[string]*cell{}
			rows[point] = row
		}
		c := row[k.card.moment]
		if c == nil {
			c = &cell{}
			row[k.card.moment] = c
		}
		c.all++
		if k.survived {
			c.survived++
		}
	}
	aimedAt := map[string]int{}
	for _, k := range kills {
		switch {
		case !k.card.aimed():
			aimedAt["at any time"]++
		case k.card.role() == aServer:
			aimedAt["at commits"]++
		default:
			aimedAt["at verbs"]++
		}
		for _, p := range k.points {
			count(k, p)
		}
	}
	fmt.Fprintf(w, "\nkills at verbs: %d, at commits: %d, at any time: %d\n", aimedAt["at verbs"], aimedAt["at commits"], aimedAt["at any time"])
	points := make([]string, 0, len(rows))
	for p := range rows {
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := func(row map[string]*cell, names []string) string {
		var b strings.Builder
		for _, n := range names {
			if c := row[n]; c != nil {
				fmt.Fprintf(&b, "\t%d/%d", c.survived, c.all)
			} else {
				b.WriteString("\t-")
			}
		}
		return b.String()
	}
	fmt.Fprintln(table, "\nSURVIVED/KILLED AT\tBEFORE\tDURING\tAFTER")
	for _, p := range points {
		if p != anyTime {
			fmt.Fprintln(table, p+columns(rows[p], moments))
		}
	}
	fmt.Fprintln(table, "\t\t\t\t\t\n\tSERVER\tWORKER\tBOTH\tALL\tDATABASE")
	fmt.Fprintln(table, anyTime+columns(rows[anyTime], wholeOf(postgreSQL)))
	fmt.Fprintln(table)
	_ = table.Flush()
}

// rank puts the verbs first, in their order.
func rank(point string) int {
	if i := slices.Index(verbs, point); i >= 0 {
		return i
	}
	return len(verbs)
}
