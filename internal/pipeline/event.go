package pipeline

import (
	"encoding/json"
	"time"
)

// EventKind says what happened.
type EventKind string

// What can happen to a run.
const (
	EventCreated     EventKind = "created"
	EventWoken       EventKind = "woken" // a deadline or waiting time has come
	EventLaneGranted EventKind = "lane granted"
	EventLaneFrozen  EventKind = "lane frozen"
	EventLaneThawed  EventKind = "lane thawed"
	// EventRollbackVoid says that a late rollback has nothing to take back: while it
	// queued, another release became the home.
	EventRollbackVoid EventKind = "rollback void"
	EventEvidence     EventKind = "evidence posted"
	// EventOutage says that for a while no server was there: none ran, or its machine
	// stood still.
	EventOutage EventKind = "outage"

	// From people.
	EventApproved   EventKind = "approved"
	EventRejected   EventKind = "rejected"
	EventPaused     EventKind = "paused"
	EventResumed    EventKind = "resumed"
	EventRollback   EventKind = "rollback requested"
	EventSkipped    EventKind = "environment skipped"
	EventSuperseded EventKind = "superseded"

	// From workers.
	EventStagePassed EventKind = "stage passed"
	EventStageFailed EventKind = "stage failed"
	// EventStageReported is progress worth a line; it may ask for a person or say that traffic was given.
	EventStageReported EventKind = "stage reported"
	EventUndoPassed    EventKind = "undo passed"
	EventUndoFailed    EventKind = "undo failed"
)

// Event is one thing that happened.
type Event struct {
	Kind EventKind `json:"kind"`
	// Actor is who did it: a user's name, "worker NAME" or "fairway".
	Actor       string `json:"actor"`
	Environment string `json:"environment,omitempty"`
	Stage       string `json:"stage,omitempty"`
	Reason      string `json:"reason,omitempty"`

	// Roles are the actor's, for approvals and skips.
	Roles []string `json:"roles,omitempty"`
	// Digest and PlanHash bind an approval to what was looked at.
	Digest   string `json:"digest,omitempty"`
	PlanHash string `json:"planHash,omitempty"`

	// Before is, with a granted lane, the release that is at home there.
	Before string `json:"before,omitempty"`
	// Homes are, with a lane that regions share, the releases at home in each, by the entry's
	// name; Void are the entries in which a late rollback has nothing to take back.
	Homes map[string]string `json:"homes,omitempty"`
	Void  []string          `json:"void,omitempty"`

	// Outage is, with an outage, from when to when it was, and Until the instant before
	// which no stage may run out of time because of it.
	Outage Outage    `json:"outage,omitzero"`
	Until  time.Time `json:"until,omitzero"`

	// From an executor.
	Exposed bool            `json:"exposed,omitempty"`
	Asks    string          `json:"asks,omitempty"`
	Memory  json.RawMessage `json:"memory,omitempty"`
	// Data goes into the ledger with the line, and is opaque here.
	Data json.RawMessage `json:"data,omitempty"`
}

// CommandKind says what has to be done.
type CommandKind string

// What Next can ask for. Package drive carries it out, in the transaction that saves the run.
const (
	CommandAcquireLane CommandKind = "acquire lane"
	CommandReleaseLane CommandKind = "release lane"
	// CommandNoteHome says that a region has come to an end while its lane is still held for others.
	CommandNoteHome   CommandKind = "note home"
	CommandStartTask  CommandKind = "start task"
	CommandCancelTask CommandKind = "cancel task"
	// CommandHoldTask tells the running executor not to advance, and why; an empty reason lets it go on.
	CommandHoldTask CommandKind = "hold task"
	// CommandDecide tells the running executor what a person decided.
	CommandDecide CommandKind = "decide"
	// CommandWake asks for EventWoken at a time; a zero time cancels. There is one wake-up per run.
	CommandWake CommandKind = "wake"
	// CommandRecord is a line for the ledger.
	CommandRecord CommandKind = "record"
	// CommandNotify is a message for a webhook, by way of the outbox.
	CommandNotify CommandKind = "notify"
	// CommandAddEvidence adds a fact that the run itself established.
	CommandAddEvidence CommandKind = "add evidence"
)

// Command is one thing to do. Which fields are set follows from Kind.
type Command struct {
	Kind        CommandKind `json:"kind"`
	Environment string      `json:"environment,omitempty"`
	Stage       string      `json:"stage,omitempty"`
	// Undo marks a task that undoes its stage.
	Undo bool      `json:"undo,omitempty"`
	At   time.Time `json:"at,omitzero"`
	// Text is the sentence of a record, the reason of a hold, the word of a decision, the message of a notification.
	Text string `json:"text,omitempty"`
	// Line is the kind of a ledger line, for instance "stage.passed".
	Line     string          `json:"line,omitempty"`
	Actor    string          `json:"actor,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Webhook  string          `json:"webhook,omitempty"`
	Evidence *Evidence       `json:"evidence,omitempty"`
}
