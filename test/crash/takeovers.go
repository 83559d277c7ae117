package main

import "time"

// lease is how long a worker holds a stage without a sign of life.
const lease = 3 * time.Second

// absence is from when a process was dead until it was started again.
type absence struct {
	who      string
	from, to time.Time
}

// takeovers are the stages that another worker went on with than the one that had them.
type takeovers struct {
	all int
	// orphaned are those whose worker was dead, with no new life of it since it had been given
	// them, a lease's time ago or more. The others were given back: by a worker that was alive,
	// or alive again, or by a server that had nobody to give them to.
	orphaned int
}

// takeovers counts them by the trace.
func (c *campaign) takeovers() (n takeovers, err error) {
	type hold struct {
		by    string
		since time.Time
	}
	lines, err := c.readTrace()
	holds := map[string]hold{} // by task
	for _, l := range lines {
		if l[2] != "lease" || len(l) != 8 { // ENDED PID lease TARGET FENCE TASK HOLDER BEGAN
			continue
		}
		task, now := l[5], hold{l[6], time.Unix(0, number(l[7]))}
		if before := holds[task]; before.by != "" && before.by != now.by {
			n.all++
			if now.since.Sub(before.since) >= lease && c.deadAllTheTime(before.by, before.since, now.since) {
				n.orphaned++
			}
		}
		holds[task] = now
	}
	return n, err
}

// deadAllTheTime tells whether the worker is dead then, and has not come back since it was
// given a task.
func (r *rig) deadAllTheTime(who string, since, then time.Time) (dead bool) {
	for _, a := range r.absences {
		switch {
		case a.who != who:
		case a.to.After(since) && a.to.Before(then):
			return false
		case a.from.Before(then) && then.Before(a.to):
			dead = true
		}
	}
	return dead
}

// long tells whether a worker that was killed now stays away until its leases have run out: two
// of ten do, at any place among them.
func (r *rig) long() bool {
	if len(r.turns) == 0 {
		r.turns = r.random.Perm(10)
	}
	turn := r.turns[0]
	r.turns = r.turns[1:]
	return turn < 2
}
