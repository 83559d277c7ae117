package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spread says where kills were, and what must have been met at least for the bar to count.
// Without that a campaign whose aims have come to nothing would look as good as any.
type spread struct {
	verbs, commits map[string]int // by point
	atCommits      int            // kills, also where a commit has several names
	anyTime        map[string]int // by who was met
	processes      map[string]int // by who died
	commitsOf      map[string]int // kills at commits, by the server that died
}

func (r *result) spread() spread {
	s := spread{map[string]int{}, map[string]int{}, 0, map[string]int{}, map[string]int{}, map[string]int{}}
	for _, k := range r.kills {
		for _, v := range k.victims {
			s.processes[v]++
		}
		switch {
		case !k.card.aimed():
			s.anyTime[k.card.moment]++
		case slices.ContainsFunc(k.points, isCommit):
			s.atCommits++
			for _, p := range k.points {
				s.commits[p]++
			}
			for _, v := range k.victims {
				s.commitsOf[v]++
			}
		default:
			for _, p := range k.points {
				s.verbs[p]++
			}
		}
	}
	return s
}

// fewest is how many kills it takes for one of everything: a deck of so many has one of each
// verb, and one of everybody who can be met at any time.
const fewest = 15

// thin tells what was met too seldom for so many kills: half of what the deck has of it, or
// less, but once at least.
func (r *result) thin(kills int) (faults []string) {
	if kills < fewest {
		return []string{fmt.Sprintf("%d kills do not meet everything, and show nothing of what they do not meet; it takes %d", kills, fewest)}
	}
	s := r.spread()
	demand := func(what string, n, least int) {
		if least = max(least, 1); n < least {
			faults = append(faults, fmt.Sprintf("%s: %d, and it should be %d at least", what, n, least))
		}
	}
	for _, v := range verbs {
		demand("kills at "+v, s.verbs[v], kills/25)
	}
	demand("kills at commits", s.atCommits, kills/4)
	demand("kinds of commits met", len(s.commits), min(kills/5, len(r.points)/2))
	for _, w := range wholeOf(r.database) {
		demand("kills of "+w+" at any time", s.anyTime[w], kills/50)
	}
	for _, p := range r.processes {
		demand("kills of "+p, s.processes[p], kills/25)
	}
	for _, p := range r.servers {
		demand("kills of "+p+" at commits", s.commitsOf[p], kills/25)
	}
	demand("stages taken over from a dead worker", r.takeovers.orphaned, kills/50)
	demand("releases compared with undisturbed ones", r.compared, kills/10)
	return faults
}

func (s spread) String() string {
	return fmt.Sprintf("by process: %s\nat commits: %s", tally(s.processes), tally(s.commitsOf))
}

func tally(count map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		words = append(words, fmt.Sprintf("%s %d", name, count[name]))
	}
	return strings.Join(words, ", ")
}
