package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Figures are how much is going on, and how long what waits has waited.
type Figures struct {
	// Releases counts those that go on, by state.
	Releases map[pipeline.RunState]int
	// Tasks are the stages that workers carry out, or that wait for one, by environment.
	Tasks map[string]TaskFigures
	// Outbox counts the messages that wait; OutboxAge is how long the oldest has.
	Outbox    int
	OutboxAge time.Duration
	// DueLag is by how much the wake-up that is due longest is late.
	DueLag time.Duration
	// Lines counts those that this server has added to the ledger since it started.
	Lines int64
}

// TaskFigures are the tasks of an environment.
type TaskFigures struct {
	// Leased have a worker; Waiting could have one now; Later may not be leased yet.
	Leased, Waiting, Later int
	// WaitingFor is how long the task has waited that waits longest.
	WaitingFor time.Duration
	// LeaseLeft is what is left of the lease that runs out first; 0 where there is none.
	LeaseLeft time.Duration
}

// Counts count in the store, so that a scrape of the metrics reads no releases.
type Counts interface {
	// CountReleases counts those that are not final, by state.
	CountReleases() (map[pipeline.RunState]int, error)
	// CountTasks counts the tasks of each environment as they are now.
	CountTasks(now time.Time) (map[string]TaskFigures, error)
	// CountMessages counts the messages that wait, and tells when the oldest was written.
	CountMessages() (n int, oldest time.Time, err error)
	// Going returns the releases that are not final, with the number of the last line of each.
	Going() (map[string]int64, error)
}

// Figures counts what goes on now.
func (c *Control) Figures(ctx context.Context) (Figures, error) {
	now := c.now()
	f := Figures{Lines: c.drive.Lines()}
	err := c.view(ctx, func(tx Tx) (err error) {
		if f.Releases, err = tx.CountReleases(); err != nil {
			return err
		}
		for _, state := range []pipeline.RunState{pipeline.RunPending, pipeline.RunRunning, pipeline.RunRollingBack} {
			f.Releases[state] += 0 // also the states that no release has
		}
		if f.Tasks, err = tx.CountTasks(now); err != nil {
			return err
		}
		var oldest time.Time
		if f.Outbox, oldest, err = tx.CountMessages(); err != nil {
			return err
		}
		if !oldest.IsZero() {
			f.OutboxAge = max(0, now.Sub(oldest))
		}
		wake, err := tx.NextWake(time.Time{})
		if err == nil && !wake.IsZero() {
			f.DueLag = max(0, now.Sub(wake))
		}
		return err
	})
	return f, err
}

// LastLine returns the store-wide number of the ledger's last line; 0 if it is empty.
func (c *Control) LastLine(ctx context.Context) (int64, error) {
	var last int64
	err := c.view(ctx, func(tx Tx) error {
		var err error
		last, err = tx.LastNumber()
		return err
	})
	return last, err
}

// Ready returns an error if the store does not answer.
func (c *Control) Ready(ctx context.Context) error {
	return c.view(ctx, func(tx Tx) error {
		_, err := tx.ListReleases(Filter{Limit: 1})
		return err
	})
}
