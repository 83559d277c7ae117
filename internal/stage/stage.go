// Package stage carries out the stages of a plan that touch the world: one
// executor per file, so that the list of files is the list of what a plan can do.
//
// An executor is re-entrant: it keeps its memory in the task's state, observes
// before it acts, and can be run again from any point. It does not know the
// server, the store or the run; what it learns goes back as an Outcome.
package stage

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Executor carries one kind of stage out, step by step.
type Executor interface {
	// Tick does the next step and says when it wants the one after. An error means
	// that the world hiccuped: the same tick is tried again, with backoff. An
	// Outcome of Failed means that the release is bad. Never both.
	Tick(ctx context.Context, task Task) (Outcome, error)
}

// Task is one stage, or its undoing, leased to one worker for a while. It is
// complete: an executor needs nothing else from the server.
type Task struct {
	ID      string `json:"id"`
	Release string `json:"release"`
	Service string `json:"service"`
	// Entry is the entry of the release's plan: the environment's name, or that of one of its
	// regions. Reports name it.
	Entry       string `json:"entry,omitempty"`
	Environment string `json:"environment"`
	Region      string `json:"region,omitempty"`
	Undo        bool   `json:"undo,omitempty"`
	// Drill says that the revision must never stay, whatever is found; nil for an ordinary release.
	Drill    *pipeline.Drill  `json:"drill,omitempty"`
	Stage    pipeline.Stage   `json:"stage"`
	Platform string           `json:"platform"`
	Settings json.RawMessage  `json:"settings,omitempty"`
	Metrics  pipeline.Metrics `json:"metrics,omitzero"`
	// Git is the repository that is told what has been proven; nil where there is none.
	Git         *pipeline.Git        `json:"git,omitempty"`
	OnUndecided pipeline.OnUndecided `json:"onUndecided"`
	// FalseAlarm is the probability that this stage may spend on a false alarm.
	FalseAlarm float64 `json:"falseAlarm"`
	// ExpectedRate is the traffic that the plan was made with, in requests per second; 0 if unknown.
	ExpectedRate float64           `json:"expectedRate,omitempty"`
	Revision     platform.Revision `json:"revision"`
	// Memories are what the environment's earlier stages left, by stage name; for
	// an undo also what the stage itself left.
	Memories map[string]json.RawMessage `json:"memories,omitempty"`
	// Experience is what earlier releases of the service teach a canary.
	Experience Experience `json:"experience,omitzero"`
	// State is the executor's memory: what the last tick returned; nil at first.
	State json.RawMessage `json:"state,omitempty"`
	// Hold says why the task may not advance now; it may still retreat.
	Hold string `json:"hold,omitempty"`
	// Decision is a person's answer to Asks: "promote", or empty.
	Decision string    `json:"decision,omitempty"`
	Deadline time.Time `json:"deadline"`

	Fence int64  `json:"fence"`
	Held  string `json:"holder"`
	// LeaseUntil is when another worker may take the task over.
	LeaseUntil time.Time `json:"leaseUntil"`
}

// Target is where the task works.
func (t Task) Target() platform.Target {
	return platform.Target{Service: t.Service, Environment: t.Environment, Region: t.Region}
}

// place names the environment, or its region, for people: as the entry of the plan.
func (t Task) place() string { return cmp.Or(t.Entry, t.Environment) }

// Lease is the right with which the task changes its target.
func (t Task) Lease() platform.Lease { return platform.Lease{Fence: t.Fence, Holder: t.Held} }

// Status is how a task stands after a tick.
type Status string

// The statuses of an outcome.
const (
	Continue Status = "continue"
	Passed   Status = "passed"
	Failed   Status = "failed"
)

// Outcome is what a tick came to.
type Outcome struct {
	Status Status `json:"status"`
	// Reason says why in a sentence; required for Failed.
	Reason string `json:"reason,omitempty"`
	// State is saved and given to the next tick; when Passed or Failed it is kept as the stage's memory.
	State json.RawMessage `json:"state,omitempty"`
	// After is how long to wait before the next tick.
	After time.Duration `json:"after,omitempty"`
	// Exposed says that users' traffic reached the revision.
	Exposed bool `json:"exposed,omitempty"`
	// Asks says that a person has to decide, and what; empty withdraws the question.
	Asks string `json:"asks,omitempty"`
	// Lines are worth telling: they become lines of the ledger.
	Lines []Line `json:"lines,omitempty"`
	// Progress is what the live page shows; nil keeps the last one.
	Progress *Progress `json:"progress,omitempty"`
	// Points are the samples judged since the last report, for charts and replay.
	Points []Point `json:"points,omitempty"`
}

// Line is something an executor tells.
type Line struct {
	// Kind is dotted, for instance "canary.weight".
	Kind string          `json:"kind"`
	Text string          `json:"text"`
	Data json.RawMessage `json:"data,omitempty"`
	// At is when it happened, by the worker's clock, which goes by the server's.
	At time.Time `json:"at,omitzero"`
}

// Progress is a stage's present, for people.
type Progress struct {
	// Now says where the stage is and why; Next what comes and NextAt when (zero if unknown).
	Now    string    `json:"now"`
	Next   string    `json:"next,omitempty"`
	NextAt time.Time `json:"nextAt,omitzero"`
	// Weight is the share of traffic that the new revision has, in [0, 1].
	Weight  float64        `json:"weight"`
	Verdict *judge.Verdict `json:"verdict,omitempty"`
}

// Point is one sample with what the judge made of it.
type Point struct {
	Sample judge.Sample `json:"sample"`
	// Evidence is the weight of evidence E after the sample.
	Evidence float64 `json:"evidence"`
	// Looked is when the verdict was read: the sample's end, or somewhat later where
	// the source is behind.
	Looked time.Time `json:"looked"`
}
