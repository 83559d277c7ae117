package drive

import (
	"context"
	"slices"
	"sync"
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
	// reportPause is the longest that a worker which cannot reach the server waits
	// before it tries again, with some reserve.
	reportPause = 10 * time.Second
)

// CatchUp brings what is stored up to date with the time that has passed while no
// server ran. Call it at the start, before workers are served and before Run. A
// server that is killed meanwhile leaves the rest to the next one, and nothing is
// made up for twice.
//
// Where the clock is behind the last sign of life, it was set back, or had been wrong
// by as much: then all that is stored moves back with it, or nothing would move until
// the clock is there again. Freezes are people's, and stay.
//
// No time limit counts that time, also not that of an approval or a gate, and who was
// about to run out of time gets a lease's time, so that its worker, which may have finished
// meanwhile, is heard first. For the same reason leases that ran out meanwhile are
// renewed once. Lanes hear what is frozen now.
func (d *Drive) CatchUp(ctx context.Context) error {
	last, err := d.lastAlive(ctx)
	if err != nil {
		return err
	}
	if err := d.excuse(ctx, pipeline.Outage{Began: last, Ended: d.now()}); err != nil {
		return err
	}
	return d.CheckFreezes(ctx)
}

// StoodStill tells that the machine stood still, as a suspended one does, until
// now, which the clock is about to follow. It is an outage as every other one.
func (d *Drive) StoodStill(ctx context.Context, now time.Time) error {
	return d.excuse(ctx, pipeline.Outage{Began: d.now(), Ended: now})
}

// Returned tells that time goes on at the instant, which the clock is about to follow. It is
// an outage only where no other server on the store was there meanwhile.
func (d *Drive) Returned(ctx context.Context, now time.Time) error {
	last, err := d.lastAlive(ctx)
	if err != nil || last.IsZero() || now.Sub(last) < pipeline.LeastOutage {
		return err
	}
	return d.excuse(ctx, pipeline.Outage{Began: last, Ended: now})
}

// sign notes a sign of life. Where nobody has for long, since the store could not be
// written or who should have made up for it has died, it makes up for that first.
func (d *Drive) sign(ctx context.Context, now time.Time) error {
	if err := d.Returned(ctx, now); err != nil {
		return err
	}
	return d.noteAlive(ctx)
}

func (d *Drive) lastAlive(ctx context.Context) (last time.Time, err error) {
	err = d.store.View(ctx, func(tx Tx) (err error) {
		last, err = tx.LastAlive()
		return err
	})
	return last, err
}

// noteAlive does not tell anybody, since nothing has changed.
func (d *Drive) noteAlive(ctx context.Context) error {
	return d.store.Update(ctx, func(tx Tx) error { return tx.NoteAlive(d.now()) })
}

// excuse lets nobody suffer from an outage. Each run remembers what it has heard
// of, and the tasks are told again without harm; that the outage is over is noted last.
func (d *Drive) excuse(ctx context.Context, o pipeline.Outage) error {
	releases, err := d.sufferers(ctx, o)
	if err != nil {
		return err
	}
	ev := pipeline.Event{Kind: pipeline.EventOutage, Outage: o, Until: d.heardUntil(o)}
	if err := d.tellOutage(ctx, releases, ev); err != nil {
		return err
	}
	if by := setBack(o); by > 0 {
		return d.update(ctx, func(t *transition) error { return t.moveBack(o, d.leaseFor) })
	}
	if err := d.excuseTasks(ctx, o); err != nil {
		return err
	}
	return d.store.Update(ctx, func(tx Tx) error { return tx.NoteAlive(o.Ended) })
}

// outageTellers is how many releases hear of an outage at the same time, each in its own
// transaction: nobody is served until all have heard. SQLite commits them together,
// PostgreSQL beside each other where they are of several services.
const outageTellers = 8

// tellOutage lets the releases hear of an outage. Those that were made one after the other,
// often of one service, hear of it so too: they would only wait for each other's turn.
func (d *Drive) tellOutage(ctx context.Context, releases []string, ev pipeline.Event) error {
	var tellers sync.WaitGroup
	for some := range slices.Chunk(releases, len(releases)/outageTellers+1) {
		tellers.Go(func() {
			for _, release := range some {
				err := ignoreConflict(d.Apply(ctx, release, ev))
				if ctx.Err() != nil {
					return
				}
				if err != nil { // one that cannot be read must not hold up all others
					d.log.Error("A release did not hear of the outage.", "release", release, "error", err)
				}
			}
		})
	}
	tellers.Wait()
	return ctx.Err()
}

// heardUntil is until when every worker has had the time to report after an outage.
func (d *Drive) heardUntil(o pipeline.Outage) time.Time {
	return o.Ended.Add(d.leaseFor + reportPause)
}

// sufferers returns the releases that an outage may harm: all that go on if it was
// long or the clock was set back, else those whose time is over before all are heard.
func (d *Drive) sufferers(ctx context.Context, o pipeline.Outage) (releases []string, err error) {
	err = d.store.View(ctx, func(tx Tx) error {
		if o.Began.IsZero() || o.Ended.Sub(o.Began).Abs() < pipeline.LeastOutage {
			releases, err = tx.DueRuns(d.heardUntil(o), 0)
		} else {
			releases, err = tx.Unfinished()
		}
		return err
	})
	return releases, err
}

// leastSetBack is more than the clocks of two servers on one store differ by.
const leastSetBack = time.Second

// setBack is by how much the clock was set back.
func setBack(o pipeline.Outage) time.Duration {
	if by := o.Began.Sub(o.Ended); by >= leastSetBack {
		return by
	}
	return 0
}

// allTasks are those that are held too.
func allTasks(tx Tx) ([]TaskRow, error) { return tx.LeasableTasks(distant, Wanted{}) }

// excuseTasks lets those who held a task at the last sign of life hold it for a lease's
// time more.
func (d *Drive) excuseTasks(ctx context.Context, o pipeline.Outage) error {
	until := o.Ended.Add(d.leaseFor)
	wrong := func(row TaskRow) bool {
		return row.Holder != "" && row.LeaseUntil.After(o.Began) && row.LeaseUntil.Before(until)
	}
	find := func(tx Tx) ([]TaskRow, error) {
		rows, err := allTasks(tx)
		return slices.DeleteFunc(rows, func(row TaskRow) bool { return !wrong(row) }), err
	}
	return d.eachTask(ctx, find, func(t *transition, row TaskRow) error {
		if !wrong(row) {
			return nil
		}
		row.LeaseUntil = until
		return t.tx.PutTask(row)
	})
}

// moveBack moves tasks, messages and chores back with the clock, in one transaction with the
// sign of life that tells by how much, so that nothing is moved twice. Only where one
// server goes by its own clock can it have been set back.
func (t *transition) moveBack(o pipeline.Outage, leaseFor time.Duration) error {
	rows, err := allTasks(t.tx)
	if err != nil {
		return err
	}
	by, until := setBack(o), o.Ended.Add(leaseFor)
	for _, row := range rows {
		was := row
		row.NotBefore, row.LeaseUntil = earlier(row.NotBefore, by), earlier(row.LeaseUntil, by)
		if was.LeaseUntil.After(o.Began) && row.LeaseUntil.Before(until) {
			row.LeaseUntil = until
		}
		if err := t.tx.PutTask(row); err != nil {
			return err
		}
	}
	if err := t.moveMessages(by); err != nil {
		return err
	}
	if err := t.tx.MoveChores(o.Ended, by); err != nil {
		return err
	}
	return t.tx.NoteAlive(o.Ended)
}

// moveMessages moves the next try of every message back with the clock.
func (t *transition) moveMessages(by time.Duration) error {
	messages, err := t.tx.DueMessages(distant, 0)
	if err != nil {
		return err
	}
	for _, m := range messages {
		m.NotBefore = earlier(m.NotBefore, by)
		if err := t.tx.PutMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// earlier is the instant moved back; zero stays zero.
func earlier(at time.Time, by time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return at.Add(-by)
}

// distant is after every lease.
var distant = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
