package drive

import (
	"slices"
	"time"
)

// Wanted says which tasks are looked for.
type Wanted struct {
	// Environments and Regions restrict them; empty means all.
	Environments, Regions []string
	// Limit is how many there are to be at most; 0 means all.
	Limit int
	// Lapsed is for how long the lease of one that has a holder must have run out.
	Lapsed time.Duration
	// NoJobs leaves out jobs that are not urgent, OnlyUrgent all that is not.
	NoJobs, OnlyUrgent bool
}

// Urgent tells whether the task cannot wait for a place: users have what is to be undone, or
// may have what a worker has begun, or what an earlier stage has given them.
func (row TaskRow) Urgent() bool {
	return row.Undo || !row.Job && (row.Exposed || row.Fence > 0)
}

// mostTasks is how many tasks are leased at once.
const mostTasks = 100

// wantedBy are at most so many tasks that the worker does not have in hand. A worker without
// a place leaves others the first look at leases that ran out; told says that it was told of something.
func wantedBy(ask LeaseAsk, limit int, told bool) Wanted {
	lapsed := time.Duration(0)
	if ask.Full && !told {
		lapsed = fullLag
	}
	return Wanted{
		Lapsed:       lapsed,
		Environments: ask.Environments, Regions: ask.Regions, Limit: limit + len(ask.Holding),
		NoJobs: jobsFor(ask) <= 0, OnlyUrgent: ask.Full,
	}
}

// jobsFor is how many jobs the worker takes.
func jobsFor(ask LeaseAsk) int {
	if ask.Jobs == nil {
		return ask.Max
	}
	return *ask.Jobs
}

// given are those of the tasks that the worker gets. It does not get what it has in hand: it
// goes on with that under the fence that it has, also where its lease ran out while it was cut
// off. Nor more jobs than it has places for, nor regions where it is too old to know them.
func given(rows []TaskRow, ask LeaseAsk) []TaskRow {
	jobs := jobsFor(ask)
	rest := slices.DeleteFunc(rows, func(row TaskRow) bool {
		if slices.Contains(ask.Holding, row.ID) || !ask.Entries && row.Entry != row.Environment {
			return true
		}
		if !row.Job || row.Undo {
			return false
		}
		jobs--
		return jobs < 0
	})
	return rest[:min(len(rest), ask.Max)]
}
