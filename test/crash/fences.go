package main

import (
	"fmt"
	"slices"
	"strconv"
)

// fenced is a lease that was given, or a verb that was done, with a fence: after it began and
// before it ended. Several processes write the trace, so the order of its lines is not that in
// which things happened.
type fenced struct {
	fence, began, ended int64
	what                string
}

// checkFences looks that a target's leases have growing fences, none twice, whichever server
// gives them, and that no worker did a verb with a fence older than one that had been done.
func (c *campaign) checkFences() []string {
	lines, err := c.readTrace()
	if err != nil {
		return []string{err.Error()}
	}
	leases, verbs := map[string][]fenced{}, map[string][]fenced{}
	for _, l := range lines {
		switch {
		case l[2] == "lease" && len(l) == 8: // ENDED PID lease TARGET FENCE TASK HOLDER BEGAN
			leases[l[3]] = append(leases[l[3]], fenced{number(l[4]), number(l[7]), number(l[0]), "it was leased"})
		case l[2] == "verb" && len(l) == 8 && l[6] == "ok": // ENDED PID verb VERB TARGET FENCE HOW BEGAN
			verbs[l[4]] = append(verbs[l[4]], fenced{number(l[5]), number(l[7]), number(l[0]), l[3] + " was done"})
		}
	}
	var faults []string
	for target, all := range leases {
		given := map[int64]bool{}
		for _, l := range all {
			if given[l.fence] {
				faults = append(faults, fmt.Sprintf("%s was leased twice with fence %d", target, l.fence))
			}
			given[l.fence] = true
		}
		faults = append(faults, outdated(target, all)...)
	}
	for target, all := range verbs {
		faults = append(faults, outdated(target, all)...)
	}
	return faults
}

// outdated tells what began with a fence when there had been a greater one.
func outdated(target string, all []fenced) (faults []string) {
	for _, f := range all {
		i := slices.IndexFunc(all, func(g fenced) bool { return g.fence > f.fence && g.ended < f.began })
		if i >= 0 {
			faults = append(faults, fmt.Sprintf("%s: %s with fence %d after %d", target, f.what, f.fence, all[i].fence))
		}
	}
	return faults
}

func number(word string) int64 {
	n, _ := strconv.ParseInt(word, 10, 64)
	return n
}
