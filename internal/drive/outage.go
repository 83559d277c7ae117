package drive

import (
	"context"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Signs keeps when a server was last known to be alive.
type Signs interface {
	NoteAlive(at time.Time) error
	// LastAlive returns what was noted last, or zero.
	LastAlive() (time.Time, error)
}

const (
	// aliveInterval is how often a sign of life is noted.
	aliveInterval = 10 * time.Second
	// outageWorthTelling is the least outage that moves a deadline: a restart.
	outageWorthTelling = 2 * aliveInterval
	// reportPause is the longest that a worker which cannot reach the server waits
	// before it tries again, with some reserve.
	reportPause = 10 * time.Second
)

// CatchUp brings what is stored up to date with the time that has passed while no
// server ran. Call it at the start, before workers are served and before Run.
//
// The time limits of stages do not count that time, and who was about to run out
// of time gets a lease's time, so that its worker, which may have finished
// meanwhile, is heard first. For the same reason leases that ran out meanwhile are
// renewed once. Lanes hear what is frozen now.
func (d *Drive) CatchUp(ctx context.Context) error {
	var last time.Time
	err := d.store.View(ctx, func(tx Tx) (err error) {
		last, err = tx.LastAlive()
		return err
	})
	if err != nil {
		return err
	}
	if err := d.excuse(ctx, last, d.now()); err != nil {
		return err
	}
	if err := d.noteAlive(ctx); err != nil {
		return err
	}
	return d.CheckFreezes(ctx)
}

// StoodStill tells that the machine stood still, as a suspended one does, until
// now, which the clock is about to follow. It is an outage as every other one.
func (d *Drive) StoodStill(ctx context.Context, now time.Time) error {
	return d.excuse(ctx, d.now(), now)
}

// noteAlive does not tell anybody, since nothing has changed.
func (d *Drive) noteAlive(ctx context.Context) error {
	return d.store.Update(ctx, func(tx Tx) error { return tx.NoteAlive(d.now()) })
}

// excuse lets nobody suffer from an outage between the two instants. last may be zero.
func (d *Drive) excuse(ctx context.Context, last, now time.Time) error {
	ev := pipeline.Event{Kind: pipeline.EventOutage, Until: now.Add(d.leaseFor + reportPause)}
	if lost := now.Sub(last); !last.IsZero() && lost >= outageWorthTelling {
		ev.Lost = pipeline.Duration(lost)
	}
	var held, releases []string
	err := d.update(ctx, func(t *transition) (err error) {
		held, err = t.renewLeases(last, now.Add(d.leaseFor))
		return err
	})
	if err != nil {
		return err
	}
	err = d.store.View(ctx, func(tx Tx) (err error) {
		releases, err = tx.DueRuns(ev.Until, 0)
		return err
	})
	if err != nil {
		return err
	}
	if ev.Lost > 0 {
		releases = append(releases, held...)
	}
	slices.Sort(releases)
	for _, release := range slices.Compact(releases) {
		if err := d.Apply(ctx, release, ev); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// One release that cannot be read must not hold up all others.
			d.log.Error("A release did not hear of the outage.", "release", release, "error", err)
		}
	}
	return nil
}

// renewLeases lets those who held a task at the last sign of life hold it until
// the instant at least, and returns the releases that have tasks.
func (t *transition) renewLeases(last, until time.Time) ([]string, error) {
	rows, err := t.tx.LeasableTasks(distant, nil, 0)
	if err != nil {
		return nil, err
	}
	releases := make([]string, len(rows))
	for i, row := range rows {
		releases[i] = row.Release
		if !row.LeaseUntil.After(last) || !row.LeaseUntil.Before(until) || row.LeaseUntil.IsZero() {
			continue
		}
		row.LeaseUntil = until
		if err := t.tx.PutTask(row); err != nil {
			return nil, err
		}
	}
	return releases, nil
}

// distant is after every lease.
var distant = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
