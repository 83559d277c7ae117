package release

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Driver is what the use cases need of package drive.
type Driver interface {
	Beat
	Lanes
}

// Beat moves runs.
type Beat interface {
	// Apply gives the release's run an event, in a transaction of its own.
	Apply(ctx context.Context, release string, ev pipeline.Event) error
	// Start gives a run that was just stored its first event, in the caller's
	// transaction. committed is called after the commit.
	Start(tx drive.Tx, release string, actor string) (committed func(), err error)
	// Note adds lines to a release's chain that change nothing about its run, in the
	// caller's transaction. committed is called after the commit.
	Note(tx drive.Tx, release string, lines ...ledger.Event) (committed func(), err error)
	// Lines is how many lines this server has added to the ledger since it started.
	Lines() int64
	// Wake says that the caller committed something that drive has to look at.
	Wake()
}

// Lanes knows which lanes stand still.
type Lanes interface {
	// Frozen says why the lane does not move now, or "".
	Frozen(tx drive.Tx, service, environment string) (string, error)
	// CheckFreezes tells every lane whether it is frozen now.
	CheckFreezes(ctx context.Context) error
}

// Config wires a Control.
type Config struct {
	Store Store
	Drive Driver
	// Inquirer asks workers what only they can see.
	Inquirer Inquirer
	// Now is the clock; nil means the system's.
	Now func() time.Time
}

// Control carries out the use cases: it checks who asks for what, and turns it
// into an event for drive. It is safe for concurrent use.
type Control struct {
	store    Store
	drive    Driver
	inquirer Inquirer
	now      func() time.Time
	persons  persons
}

// New returns a Control.
func New(c Config) *Control {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Control{store: c.Store, drive: c.Drive, inquirer: c.Inquirer, now: c.Now}
}

// newID makes an ID that sorts by time of creation: a ULID in lower case.
func newID(now time.Time) string {
	return strings.ToLower(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
}

// view reads on one consistent snapshot.
func (c *Control) view(ctx context.Context, f func(Tx) error) error { return c.store.View(ctx, f) }
