package drive

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Store is what drive needs of a store: transactions.
//
// Update runs f in one serialised write transaction; what f wrote is on disk when
// Update returns nil, and nothing of it is there when f or the commit fails.
// Several updates may share one commit. View runs f on a consistent snapshot.
// f may be run again after a conflict, so it must have no other effects.
//
// Several servers may share a store. What belongs to one service is then changed by one
// transaction at a time; see Turns.
type Store interface {
	Update(ctx context.Context, f func(Tx) error) error
	View(ctx context.Context, f func(Tx) error) error
}

// Tx is one transaction, valid only inside the function it was given to.
type Tx interface {
	Turns
	Runs
	Tasks
	Lanes
	Outbox
	Points
	Signs
	Drifts
}

// Turns keep the transactions of several servers apart.
type Turns interface {
	// Turn waits until no other transaction changes what belongs to the services (their
	// releases, lanes, tasks, fences and homes), and keeps all others from it until this
	// one ends. In an update LoadRun and LoadTask take the turn of the release's service
	// by themselves. Who reads something else of a service first, or needs several of
	// them, takes their turns before, in one call.
	Turn(services ...string) error
	// Claim tells whether the work of that name, which is done once every so often by one
	// of all servers, is now the caller's; nobody else then gets it before until.
	Claim(work string, now, until time.Time) (bool, error)
	// ChoreDone notes when claimed work was done, what it found, and when it is due again.
	ChoreDone(work string, at, until time.Time, found int64) error
	// Chore is how it stands about such work; zero where nobody has claimed it yet.
	Chore(work string) (Chore, error)
	// MoveChores moves what is said to be done, or due again, after now back by so much.
	MoveChores(now time.Time, by time.Duration) error
}

// Chore is work that one of all servers does once every so often.
type Chore struct {
	// Until is when it is due again.
	Until time.Time
	// Done is when it was last done to its end; zero where it never was. Found is what it then found.
	Done  time.Time
	Found int64
}

// Record is a run as stored, with the head of its chain in the ledger.
type Record struct {
	Release string
	Run     pipeline.Run // with Plan and Evidence filled in
	Seq     int64
	Hash    string
	// Wake is when the run is to be woken; zero never.
	Wake time.Time
}

// Runs keeps runs, their chains and their wake-ups.
type Runs interface {
	// LoadRun returns the run, or fault.NotFound.
	LoadRun(release string) (Record, error)
	// SaveRun stores the run with its new chain head, and when to wake it (zero: never).
	SaveRun(r Record, wake time.Time) error
	// AppendEvents adds lines to the ledger; each release's in order.
	AppendEvents(lines []ledger.Event) error
	// LinesBy returns the lines of the release that the actor has caused, in order.
	LinesBy(release, actor string) ([]ledger.Event, error)
	// DueRuns returns at most limit releases whose wake-up is not after now, oldest
	// first; NextWake the earliest wake-up after now, or zero.
	DueRuns(now time.Time, limit int) ([]string, error)
	NextWake(now time.Time) (time.Time, error)
	// Unfinished returns the releases that are not final.
	Unfinished() ([]string, error)
	// WaitingOn returns the releases that are not final and whose artifact has the digest.
	WaitingOn(digest string) ([]string, error)
	AddEvidence(e pipeline.Evidence) error
}

// TaskRow is a task as stored: what changes while a stage runs. There is at most
// one per release and entry of its plan.
type TaskRow struct {
	ID      string
	Release string
	Service string
	// Entry is the entry of the plan: the environment's name, or that of one of its regions.
	Entry       string
	Environment string
	Region      string
	Stage       string
	Undo        bool
	State       json.RawMessage
	Progress    json.RawMessage
	Hold        string
	Decision    string
	Deadline    time.Time
	// NotBefore is when the task may be leased (again).
	NotBefore  time.Time
	Holder     string
	Fence      int64
	LeaseUntil time.Time
	// Reported is the number of the last report taken in under the fence.
	Reported int64
	// Job says that the stage runs a command on the worker's machine. In a row that a server
	// from before there was this field wrote it may be wrong until the task is leased.
	Job bool
	// Exposed says that users have got something of the release there by an earlier stage.
	Exposed bool
}

// Tasks keeps the stages that workers carry out.
type Tasks interface {
	// PutTask inserts the task, or replaces the one of the same release and entry. One without
	// a holder is free: all servers are told where.
	PutTask(t TaskRow) error
	// LoadTask returns the task of the entry, or fault.NotFound.
	LoadTask(release, entry string) (TaskRow, error)
	DeleteTask(release, entry string) error
	// LeasableTasks returns the wanted tasks that nobody holds or whose lease has run out, and
	// whose NotBefore is not after now: first what undoes, then what else is urgent, then the
	// oldest. An update takes the turns of their services, and leaves out those that are taken.
	LeasableTasks(now time.Time, w Wanted) ([]TaskRow, error)
	// HeldTasks returns the tasks that the worker of that name holds.
	HeldTasks(holder string) ([]TaskRow, error)
	// TasksByID returns those of the tasks that there are, without State, Progress
	// and what else says how far they have come.
	TasksByID(ids []string) ([]TaskRow, error)
	// Renew prolongs the leases of those of the tasks that the holder has. It takes no turn,
	// and leaves out tasks that another transaction is about to change; nobody is told.
	Renew(ids []string, holder string, until time.Time) error
	// NextFence returns a number greater than all it returned for the target before.
	NextFence(target string) (int64, error)
	// RaiseFence makes the target's next fence greater than seen.
	RaiseFence(target string, seen int64) error
}

// LaneEntry is one release's place in a lane: the holder, or in the queue.
type LaneEntry struct {
	Lane        string
	Release     string
	Environment string
	Position    int64
	Held        bool
}

// Lanes keeps who moves and who waits in each lane, and what freezes them.
type Lanes interface {
	// Lane returns the entries of the lane: the holder first if there is one, then the queue in order.
	Lane(lane string) ([]LaneEntry, error)
	// LanesInUse returns all lanes that have entries.
	LanesInUse() ([]string, error)
	JoinLane(lane, release, environment string) error
	HoldLane(lane, release string) error
	LeaveLane(lane, release string) error
	// Freezes returns all freezes that are not ended.
	Freezes() ([]Freeze, error)
	AddFreeze(f Freeze) error
	EndFreeze(id string, at time.Time) error
	// SetHome notes which release the target's home belongs to; Home returns it, or "".
	SetHome(target, release string) error
	Home(target string) (string, error)
}

// Freeze is a window in which lanes do not move. Empty Service or Environment match all.
type Freeze struct {
	ID          string    `json:"id"`
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Reason      string    `json:"reason"`
	By          string    `json:"by"`
	From        time.Time `json:"from"`
	// Until ends a one-off window; zero lasts until it is unfrozen.
	Until time.Time `json:"until,omitzero"`
	// Rule makes the window recur (RFC 5545, for instance "FREQ=WEEKLY;BYDAY=FR");
	// each occurrence begins at From's time of day and lasts For.
	Rule string            `json:"rule,omitempty"`
	For  pipeline.Duration `json:"for,omitempty"`
}

// Message is one message to deliver at least once.
type Message struct {
	ID        string
	Release   string
	Webhook   string
	Body      json.RawMessage
	Attempts  int
	NotBefore time.Time
}

// Outbox keeps messages from the commit that causes them until they are delivered.
type Outbox interface {
	PutMessage(m Message) error
	// DueMessages returns at most limit messages whose NotBefore is not after now. An
	// update leaves out those that another one is about to change.
	DueMessages(now time.Time, limit int) ([]Message, error)
	// MoveMessage sets when the message is due, or returns fault.Conflict where it is not there
	// with the former time: another server has it.
	MoveMessage(id string, former, due time.Time) error
	// DeleteMessage removes a delivered (or given up) message.
	DeleteMessage(id string) error
}

// Points keeps the samples that were judged, append-only. A region's are kept under the name
// of its entry.
type Points interface {
	AppendPoints(release, environment, stage string, points []stage.Point) error
	// FirstPoints returns the first points, at most so many, of the release in the entry.
	FirstPoints(release, entry string, points int) ([]stage.Point, error)
	// EarlyPoints returns the first points, at most so many, of each of the service's
	// last releases before the given one that have succeeded and were judged in the
	// task's entry; the newest release first.
	EarlyPoints(before TaskRow, releases, points int) ([][]stage.Point, error)
}
