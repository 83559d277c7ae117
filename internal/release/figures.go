package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Figures are how much is going on.
type Figures struct {
	// Releases counts those that go on, by state.
	Releases map[pipeline.RunState]int
	Tasks    int
	Outbox   int
	// Lines is the number of the ledger's last line.
	Lines int64
}

// manyRows is where counting stops.
const manyRows = 100_000

// Figures counts what goes on now.
func (c *Control) Figures(ctx context.Context) (Figures, error) {
	f := Figures{Releases: map[pipeline.RunState]int{}}
	// Everything that waits is due in the far future.
	someday := c.now().Add(100 * 365 * 24 * time.Hour)
	err := c.view(ctx, func(tx Tx) error {
		for _, state := range []pipeline.RunState{pipeline.RunPending, pipeline.RunRunning, pipeline.RunRollingBack} {
			list, err := tx.ListReleases(Filter{State: state, Limit: manyRows})
			if err != nil {
				return err
			}
			f.Releases[state] = len(list)
		}
		tasks, err := tx.LeasableTasks(someday, nil, manyRows)
		if err != nil {
			return err
		}
		messages, err := tx.DueMessages(someday, manyRows)
		if err != nil {
			return err
		}
		f.Tasks, f.Outbox = len(tasks), len(messages)
		f.Lines, err = tx.LastNumber()
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
