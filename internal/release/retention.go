package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Retention is how long is kept what releases that have ended leave behind; 0 is for ever.
// Releases, plans and runs are always kept, and everything of a release that goes on or is
// at home somewhere.
type Retention struct {
	// Samples are what judges saw: charts and replay need them.
	Samples time.Duration
	// Events are the lines of the ledger. Of each chain one line stays, which says what is gone.
	Events time.Duration
}

// Removed counts what was removed.
type Removed struct {
	Samples, Events int64
	// Releases counts those whose chains were.
	Releases int
}

// Past keeps what may be removed when it is old.
type Past interface {
	// PastSamples returns at most limit releases that ended before the instant, are at home
	// nowhere, and have points; PastEvents the same of those with lines that were not removed yet.
	PastSamples(before time.Time, limit int) ([]string, error)
	PastEvents(before time.Time, limit int) ([]string, error)
	// RemovePoints removes at most limit points of the release, the oldest first.
	RemovePoints(release string, limit int) (int64, error)
	// RemoveEvents removes the lines of the release's chain up to the number.
	RemoveEvents(release string, upTo int64) (int64, error)
}

// Each batch is a transaction of its own, short enough that nobody waits for it.
const (
	pastReleases = 10
	pastPoints   = 500
)

// Retain removes what is too old, batch by batch, until nothing is left that is or ctx ends.
// removed hears of every batch once it is on disk. Several may run at the same time.
func (c *Control) Retain(ctx context.Context, keep Retention, removed func(Removed)) error {
	for ctx.Err() == nil {
		var batch Removed
		err := c.store.Update(ctx, func(tx Tx) (err error) {
			batch, err = c.retain(tx, keep)
			return err
		})
		if err != nil {
			return err
		}
		if batch == (Removed{}) {
			return nil
		}
		removed(batch)
	}
	return ctx.Err()
}

// retain removes one batch.
func (c *Control) retain(tx Tx, keep Retention) (batch Removed, err error) {
	now := c.now()
	if keep.Samples > 0 {
		if batch.Samples, err = removeSamples(tx, now.Add(-keep.Samples)); err != nil || batch.Samples > 0 {
			return batch, err
		}
	}
	if keep.Events <= 0 {
		return batch, nil
	}
	past, err := tx.PastEvents(now.Add(-keep.Events), pastReleases)
	if err != nil {
		return batch, err
	}
	if err := takeTurns(tx, past); err != nil {
		return batch, err
	}
	for _, release := range past {
		n, err := removeEvents(tx, release, now, keep.Events)
		if err != nil {
			return batch, err
		}
		batch.Events += n
		batch.Releases++
	}
	return batch, nil
}

func removeSamples(tx Tx, before time.Time) (int64, error) {
	past, err := tx.PastSamples(before, 1)
	if err != nil || len(past) == 0 {
		return 0, err
	}
	return tx.RemovePoints(past[0], pastPoints)
}

// takeTurns takes the turns of all services of the releases at once: one by one, in the order of
// the releases, it would begin anew for each that somebody else has.
func takeTurns(tx Tx, releases []string) error {
	var services []string
	for _, id := range releases {
		r, err := tx.LoadRelease(id)
		if err != nil {
			return err
		}
		services = append(services, r.Service)
		for _, c := range r.With {
			services = append(services, c.Service)
		}
	}
	return tx.Turn(services...)
}

// removeEvents removes a whole chain but for the line that says so.
func removeEvents(tx Tx, release string, now time.Time, keep time.Duration) (int64, error) {
	rec, err := tx.LoadRun(release)
	if err != nil {
		return 0, err
	}
	// Until the turn was taken another server may have removed it, or people taken it back.
	first, err := tx.LoadEvents(release, 0, 1)
	if err != nil || len(first) == 0 || first[0].Seq != 1 || rec.Run.EndedAt.IsZero() {
		return 0, err
	}
	head := ledger.Head{Seq: rec.Seq, Hash: rec.Hash}
	line, next, err := ledger.Remove(release, head, rec.Run.EndedAt, now, pipeline.Duration(keep).String())
	if err != nil {
		return 0, err
	}
	if err := tx.AppendEvents([]ledger.Event{line}); err != nil {
		return 0, err
	}
	rec.Seq, rec.Hash = next.Seq, next.Hash
	if err := tx.SaveRun(rec, rec.Wake); err != nil {
		return 0, err
	}
	return tx.RemoveEvents(release, head.Seq)
}
