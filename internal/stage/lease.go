package stage

import "time"

// LeaseAsk is a worker's wish for tasks.
type LeaseAsk struct {
	// Entries says that the worker tells its tasks apart by their entries. One that does not
	// gets none of an environment's regions.
	Entries bool `json:"entries,omitempty"`
	// Worker is the worker's name; no two that run at the same time may share one.
	Worker string `json:"worker"`
	// Environments and Regions restrict the tasks; empty means all.
	Environments []string `json:"environments,omitempty"`
	Regions      []string `json:"regions,omitempty"`
	// Max is how many tasks to lease at most, 1 to 100.
	Max int `json:"max"`
	// Jobs is how many of them may be jobs, or other stages that run a command; without it
	// all may be.
	Jobs *int `json:"jobs,omitempty"`
	// Full says that the worker has as much in hand as it should. It takes only what cannot
	// wait: an undoing, and what users have got something of, unless it runs a command.
	Full bool `json:"full,omitempty"`
	// Wait is how long to wait for the first task, at most 30 s.
	Wait time.Duration `json:"wait"`
	// Resume is for the first ask of a worker that has just started: it gets back
	// at once what the worker of its name held before.
	Resume bool `json:"resume,omitempty"`
	// Holding are the IDs of the tasks that the worker has in hand. It is not given them
	// anew, nor does Resume take them back.
	Holding []string `json:"holding,omitempty"`
}

// Report is what a worker says after a tick.
type Report struct {
	Task        string `json:"task"`
	Release     string `json:"release"`
	Environment string `json:"environment"`
	Region      string `json:"region,omitempty"`
	// Stage is the task's, by its name.
	Stage string `json:"stage,omitempty"`
	// Entry is the task's; without it, it is the environment.
	Entry  string `json:"entry,omitempty"`
	Worker string `json:"worker"`
	Fence  int64  `json:"fence"`
	// Number counts the reports of one lease from 1. A report whose number was taken
	// in before changes nothing: its answer was lost, and it is told again.
	Number int64 `json:"number,omitempty"`
	// Alive marks a sign of life: it renews the lease and says nothing else. Older workers give
	// them one by one.
	Alive bool `json:"alive,omitempty"`
	// Seen is the fence that the target has accepted when it refused this lease's;
	// such a report gives the task back and says nothing else.
	Seen int64 `json:"seen,omitempty"`
	// Left gives the task back, with its last outcome: the worker stops. Where Why says that this
	// worker cannot carry it out, the task waits a little for another one.
	Left bool   `json:"left,omitempty"`
	Why  string `json:"why,omitempty"`
	// Part says that the outcome's state is the part that has changed since the last report
	// that was taken in; see PartOf.
	Part bool `json:"part,omitempty"`
	// Late says that the worker was cut off when it happened, and has heard meanwhile that
	// the task is not its own any more. The lines of such a report are kept, and nothing
	// else comes of it.
	Late bool `json:"late,omitempty"`
	// Next asks, with the outcome that ends the task, for the one that follows it there.
	Next    bool    `json:"next,omitempty"`
	Outcome Outcome `json:"outcome"`
}

// Signs are signs of life of tasks about which there is nothing else to report.
type Signs struct {
	// Worker is the holder of the tasks.
	Worker string `json:"worker"`
	// Environments and Regions restrict the tasks, as in LeaseAsk.
	Environments []string `json:"environments,omitempty"`
	Regions      []string `json:"regions,omitempty"`
	Tasks        []Sign   `json:"tasks"`
}

// MostSigns is how many signs are given at once.
const MostSigns = 1000

// Sign is one task's.
type Sign struct {
	Task  string `json:"task"`
	Fence int64  `json:"fence"`
}

// Reply tells the worker how the task stands.
type Reply struct {
	// Cancelled says that the task is no longer this worker's: stop, and touch nothing.
	Cancelled bool `json:"cancelled,omitempty"`
	// Taken says that the report was taken in although the task is over now: it ended it.
	Taken bool `json:"taken,omitempty"`
	// Hold says why the task may not advance; Decision what a person decided.
	Hold       string    `json:"hold,omitempty"`
	Decision   string    `json:"decision,omitempty"`
	Deadline   time.Time `json:"deadline,omitzero"`
	LeaseUntil time.Time `json:"leaseUntil"`
	// Next is the task that follows the one which the report has ended, leased to the same
	// worker; nil where none follows there, or it was not asked for.
	Next *Task `json:"next,omitempty"`
}
