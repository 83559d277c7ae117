package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// card is one kill to come: where it is aimed at, or whom it meets at any time.
type card struct {
	id    int
	point string // "route", "commit/stage.passed", "at any time"
	// moment is before, during or after; for "at any time" server, worker or both.
	moment string
	count  int
	delay  time.Duration
	// rounds is for how many rounds it has been waiting.
	rounds int
}

const anyTime = "at any time"

func (c card) aimed() bool { return c.point != anyTime }

// victim is the process in which the point lies.
func (c card) victim() string {
	if strings.HasPrefix(c.point, "commit/") {
		return "server"
	}
	return "worker"
}

// aim is the card as the process to be killed reads it.
func (c card) aim() string {
	return fmt.Sprintf("%d %s %d %s %s\n", c.id, c.moment, c.count, c.delay, c.point)
}

var (
	verbs   = []string{"observe", "place", "route", "retire", "start"}
	moments = []string{"before", "during", "after"}
	whole   = []string{"server", "worker", "both"}
)

// Who is killed too where servers share a database.
const (
	secondVictim   = "second"
	databaseVictim = "database"
)

// wholeOf are those who are killed at any time.
func wholeOf(database string) []string {
	if database == postgreSQL {
		return append(slices.Clone(whole), secondVictim, databaseVictim)
	}
	return whole
}

// deck makes the kills: two fifths at the verbs, two fifths at the commits, the others at any
// time, of whom everybody is met once at least. Each point is met equally often, and each of
// its moments; no verb or kind of commit is met twice before all have been met once.
func deck(kills int, commits, whole []string, r *rand.Rand) []card {
	aimed := min(kills*80/100, max(kills-len(whole), 0))
	all := append(deal(verbs, aimed-aimed/2, r), deal(commits, aimed/2, r)...)
	for i := 0; len(all) < kills; i++ {
		all = append(all, card{point: anyTime, moment: whole[i%len(whole)]})
	}
	for i := range all {
		all[i].id = i + 1
		all[i].count = 1 + r.IntN(often(all[i].point))
		all[i].delay = time.Duration(r.IntN(longest(all[i].point))) * time.Microsecond
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// deal makes n cards at the points, in turns: in each every point is met, at a moment that it
// was not met at before, until all were.
func deal(points []string, n int, r *rand.Rand) (cards []card) {
	if len(points) == 0 {
		return nil
	}
	first := make([]int, len(points)) // each point's moment in the first turn
	for turn := 0; ; turn++ {
		if turn%len(moments) == 0 {
			for i := range first {
				first[i] = r.IntN(len(moments))
			}
		}
		for _, i := range r.Perm(len(points)) {
			if len(cards) == n {
				return cards
			}
			cards = append(cards, card{point: points[i], moment: moments[(first[i]+turn)%len(moments)]})
		}
	}
}

// often is up to the how manieth time a point is worth waiting for; 1 for a point
// that few releases come to.
func often(point string) int {
	switch point {
	case "observe", "commit/report":
		return 8
	case "place", "route", "retire", "start", "commit/lease", "commit/stage.started", "commit/stage.passed":
		return 2
	}
	return 1
}

// longest is about how many microseconds the call at the point takes.
func longest(point string) int {
	switch point {
	case "place", "start":
		return 40_000
	case "retire":
		return 60_000
	case "observe", "route":
		return 6_000
	}
	return 400
}

// patience is for how many rounds a card waits for its point; by then every
// service has gone through all its outcomes.
const patience = 6

// redeal turns cards whose points did not come in time into ones for points that
// always come.
func redeal(cards []card) {
	for i := range cards {
		c := &cards[i]
		if c.rounds++; c.aimed() && c.rounds > patience {
			if c.count, c.delay = 1, 0; often(c.point) == 1 {
				c.point = verbs[i%len(verbs)]
			}
		}
	}
}

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
		case k.card.victim() == "server":
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
	fmt.Fprintln(table, "\t\t\t\t\t\n\tSERVER\tWORKER\tBOTH\tSECOND\tDATABASE")
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
