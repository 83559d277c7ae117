package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// card is one kill to come: where it is aimed at, or whom it meets at any time.
type card struct {
	id    int
	point string // "route", "commit/stage.passed", "at any time"
	// moment is before, during or after; for "at any time" it is who is met.
	moment string
	count  int
	delay  time.Duration
	// rounds is for how many rounds it has been waiting.
	rounds int
}

const anyTime = "at any time"

func (c card) aimed() bool { return c.point != anyTime }

// role is whose point it is: any server's or any worker's.
func (c card) role() string {
	if isCommit(c.point) {
		return aServer
	}
	return aWorker
}

func isCommit(point string) bool { return strings.HasPrefix(point, "commit/") }

// aim is the card as the process to be killed reads it.
func (c card) aim() string {
	return fmt.Sprintf("%d %s %d %s %s\n", c.id, c.moment, c.count, c.delay, c.point)
}

var (
	verbs   = []string{"observe", "place", "route", "retire", "start"}
	moments = []string{"before", "during", "after"}
	whole   = []string{aServer, aWorker, both, everybody}
)

// Who is killed at any time.
const (
	aServer     = "server"
	aWorker     = "worker"
	both        = "both" // one of each, at the same time
	everybody   = "all"
	theDatabase = "database"
)

// wholeOf are those who are killed at any time.
func wholeOf(database string) []string {
	if database == postgreSQL {
		return append(slices.Clone(whole), theDatabase)
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
	case "place", "route", "retire", "start":
		return 2
	}
	if slices.Contains(commonCommits, point) {
		return 2
	}
	return 1
}

// commonCommits are kinds of commits that every release makes again and again.
var commonCommits = []string{"commit/report", "commit/lease", "commit/stage.started", "commit/stage.passed"}

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

// redeal turns cards that have waited for their points for so many rounds into ones for points
// that always come: a kill at a commit stays one, and one at a verb too.
func redeal(cards []card, patience int) {
	for i := range cards {
		c := &cards[i]
		if c.rounds++; c.aimed() && c.rounds >= patience {
			if c.count, c.delay = 1, 0; isCommit(c.point) && often(c.point) == 1 {
				c.point = commonCommits[i%len(commonCommits)]
			}
		}
	}
}
