package pipeline

import (
	"encoding/json"
	"time"
)

// RunVersion is the format in which runs are saved today.
const RunVersion = 1

// Run is a release's plan being carried out. Next maps it to the next one; nobody
// else changes it. Plan and Evidence belong to it but are stored elsewhere, so
// who loads a run fills them in.
type Run struct {
	Version int      `json:"version"`
	State   RunState `json:"state"`
	// Author may not approve.
	Author       string           `json:"author"`
	Environments []EnvironmentRun `json:"environments"`
	Paused       *Pause           `json:"paused,omitempty"`
	// Superseded says that it gave its place to a newer release.
	Superseded bool      `json:"superseded,omitempty"`
	CreatedAt  time.Time `json:"createdAt"`
	EndedAt    time.Time `json:"endedAt,omitzero"`
	// Outage is the last one that was made up for, so that none is twice.
	Outage Outage `json:"outage,omitzero"`

	Plan     *Plan      `json:"-"`
	Evidence []Evidence `json:"-"`
	// Drift is what was last seen of the services that have gates, by what Plan.About says of
	// the gate. It is filled in as Evidence is.
	Drift map[string]Drift `json:"-"`
	// Doing is, by environment, what the worker of its stage last said that it does. It
	// is looked at only where a stage's time limit has passed.
	Doing map[string]string `json:"-"`
}

// RunState is where a run is as a whole. It follows from its environments.
type RunState string

// The states of a run. The last five are final, but for a late rollback of a
// succeeded one.
const (
	RunPending     RunState = "pending"
	RunRunning     RunState = "running"
	RunRollingBack RunState = "rolling-back"
	RunSucceeded   RunState = "succeeded"
	// RunRolledBack had given its revision traffic and took it back.
	RunRolledBack RunState = "rolled-back"
	// RunFailed ended before its revision had any traffic where it failed.
	RunFailed RunState = "failed"
	// RunSuperseded gave its place to a newer release while it queued.
	RunSuperseded RunState = "superseded"
	// RunCancelled was called off by a person before anything had to be undone.
	RunCancelled RunState = "cancelled"
)

// Final tells whether the run has come to its end.
func (s RunState) Final() bool {
	switch s {
	case RunSucceeded, RunRolledBack, RunFailed, RunSuperseded, RunCancelled:
		return true
	}
	return false
}

// Pause is a person's wish that nothing advances.
type Pause struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// EnvironmentRun is one environment's part of a run.
type EnvironmentRun struct {
	Name  string           `json:"name"`
	State EnvironmentState `json:"state"`
	Lane  LaneState        `json:"lane,omitempty"`
	// Frozen says why the lane does not move; empty when it may.
	Frozen string `json:"frozen,omitempty"`
	// Asks says what a person has to decide about earlier waves, after this region failed.
	Asks string `json:"asks,omitempty"`
	// AskedAt is when it began to ask; zero also where an older Fairway has asked.
	AskedAt time.Time `json:"askedAt,omitzero"`
	// Stage is the index of the stage that runs, or the one being undone.
	Stage  int        `json:"stage"`
	Stages []StageRun `json:"stages"`
	// Before is the release that was at home when the lane was granted; empty if none.
	Before string `json:"before,omitempty"`
	// FailedStage is the stage whose failure turned the environment round; empty
	// where a person asked for the rollback.
	FailedStage string `json:"failedStage,omitempty"`
	// Reason says in a sentence why the environment is where it is.
	Reason    string    `json:"reason,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	// Away is for how long no server was there since EndedAt, which does not count for
	// the environments that need this one.
	Away Duration `json:"away,omitempty"`
	// HeldSince is when a pause or freeze began to stop the clock of the current stage.
	HeldSince time.Time `json:"heldSince,omitzero"`
}

// EnvironmentState is where one environment is.
type EnvironmentState string

// The states of an environment.
const (
	EnvironmentPending     EnvironmentState = "pending"
	EnvironmentRunning     EnvironmentState = "running"
	EnvironmentRollingBack EnvironmentState = "rolling-back"
	EnvironmentSucceeded   EnvironmentState = "succeeded"
	EnvironmentRolledBack  EnvironmentState = "rolled-back"
	EnvironmentFailed      EnvironmentState = "failed"
	EnvironmentSkipped     EnvironmentState = "skipped"
	// EnvironmentCancelled was never begun, since the run ended before.
	EnvironmentCancelled EnvironmentState = "cancelled"
)

// LaneState is how an environment stands to its lane.
type LaneState string

// No lane is asked for until the first stage that a worker carries out.
const (
	LaneNone   LaneState = ""
	LaneQueued LaneState = "queued"
	LaneHeld   LaneState = "held"
)

// StageRun is one stage being carried out.
type StageRun struct {
	State     StageState `json:"state"`
	StartedAt time.Time  `json:"startedAt,omitzero"`
	EndedAt   time.Time  `json:"endedAt,omitzero"`
	// Deadline is when its time limit is over, or that of its undoing.
	Deadline time.Time `json:"deadline,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	// Exposed says that the stage gave the revision users' traffic.
	Exposed bool `json:"exposed,omitempty"`
	// Cut says that a worker's stage was ended in its middle, so what it was doing may
	// still go on.
	Cut bool `json:"cut,omitempty"`
	// Asks says that a person has to decide, and what.
	Asks string `json:"asks,omitempty"`
	// Overdue says that it asks because its time limit is over; only its end, or a
	// person, ends the question.
	Overdue bool `json:"overdue,omitempty"`
	// AskedAt is when it began to ask; the stage's clock stands still meanwhile.
	AskedAt   time.Time       `json:"askedAt,omitzero"`
	Approvals []ApprovalGiven `json:"approvals,omitempty"`
	// Memory is what the executor left for the stages after it and for its undoing.
	Memory json.RawMessage `json:"memory,omitempty"`
}

// StageState is where one stage is.
type StageState string

// The states of a stage.
const (
	StagePending StageState = "pending"
	StageRunning StageState = "running"
	StagePassed  StageState = "passed"
	StageFailed  StageState = "failed"
	// StageCancelled was stopped before it had an outcome.
	StageCancelled  StageState = "cancelled"
	StageUndoing    StageState = "undoing"
	StageUndone     StageState = "undone"
	StageUndoFailed StageState = "undo-failed"
	StageSkipped    StageState = "skipped"
)

// ApprovalGiven is one person's approval of a stage.
type ApprovalGiven struct {
	By     string    `json:"by"`
	Roles  []string  `json:"roles"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Evidence is a fact about an artifact or a release.
type Evidence struct {
	ID string `json:"id"`
	// Digest is the artifact's that the fact is about.
	Digest string `json:"digest"`
	// Kind is what sort of fact: "tests", "scan", "ci", "environment" …
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Status is "passed", "failed", or any other word that a gate looks for.
	Status string         `json:"status"`
	At     time.Time      `json:"at"`
	By     string         `json:"by"`
	URL    string         `json:"url,omitempty"`
	Data   map[string]any `json:"data,omitempty"`
}

// NewRun starts a run of the plan. It does nothing until it is given EventCreated.
func NewRun(p *Plan, author string, now time.Time) Run {
	r := Run{Version: RunVersion, State: RunPending, Author: author, CreatedAt: now, Plan: p}
	for _, e := range p.Environments {
		er := EnvironmentRun{Name: e.Name, State: EnvironmentPending, Stages: make([]StageRun, len(e.Stages))}
		for i := range er.Stages {
			er.Stages[i].State = StagePending
		}
		r.Environments = append(r.Environments, er)
	}
	return r
}

// Environment returns the run's part in the environment of that name, or nil.
func (r *Run) Environment(name string) *EnvironmentRun {
	for i := range r.Environments {
		if r.Environments[i].Name == name {
			return &r.Environments[i]
		}
	}
	return nil
}

// Current returns the index of the entry that moves or waits, first one that waits for a
// person, else of the last one that was begun; 0 for a run that was not begun at all.
func (r *Run) Current() int {
	if len(r.Environments) == 0 {
		return 0
	}
	all := make([]int, len(r.Environments))
	for i := range all {
		all[i] = i
	}
	return r.foremost(all)
}

// foremost is that of the entries which Current says of all.
func (r *Run) foremost(among []int) int {
	last, moves, waits := among[0], -1, -1
	for _, i := range among {
		e := &r.Environments[i]
		active := e.State == EnvironmentRunning || e.State == EnvironmentRollingBack
		switch {
		case e.Asks != "", active && e.Stages[e.Stage].Asks != "", active && r.approves(i):
			return i
		case active && moves < 0:
			moves = i
		case e.State == EnvironmentPending && waits < 0:
			waits = i
		case e.State == EnvironmentSucceeded, e.State == EnvironmentRolledBack, e.State == EnvironmentFailed:
			last = i
		}
	}
	switch {
	case moves >= 0:
		return moves
	case waits >= 0 && (r.State == RunRunning || r.State == RunPending):
		return waits
	}
	return last
}

// approves tells whether the entry is at an approval.
func (r *Run) approves(i int) bool {
	e := &r.Environments[i]
	return r.Plan != nil && i < len(r.Plan.Environments) && e.Stages[e.Stage].State == StageRunning && r.Plan.Environments[i].Stages[e.Stage].Kind == KindApproval
}

// Foremost is the entry that a person means by a name, or nil: the one of that name, or that
// of the environment's regions which waits for a person, moves, or was last. An empty name
// means it of the whole run.
func (r *Run) Foremost(name string) *EnvironmentRun {
	if name == "" {
		return &r.Environments[r.Current()]
	}
	all := r.Plan.Entries(name)
	if len(all) == 0 {
		return nil
	}
	return &r.Environments[r.foremost(all)]
}

// Exposed tells whether any stage of the environment gave the revision traffic.
func (e *EnvironmentRun) Exposed() bool {
	for _, s := range e.Stages {
		if s.Exposed {
			return true
		}
	}
	return false
}
