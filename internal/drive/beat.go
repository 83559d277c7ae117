package drive

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// How often the loop looks by itself, without having been woken.
const (
	beatInterval = time.Second
	// lookInterval is the least time between two looks: what is woken meanwhile is one.
	lookInterval = 20 * time.Millisecond
	dueBatch     = 200
)

// beats tells from outside whether the loop is alive.
type beats struct{ last atomic.Int64 }

// Alive tells when the loop last looked; zero if it never did.
func (d *Drive) Alive() time.Time {
	if n := d.beats.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Run wakes runs whose time has come, tells lanes about freezes, and delivers
// messages, until the context ends. Then it sends home the workers that wait for
// tasks, so that the end of the server does not wait for them. A server calls
// CatchUp first.
func (d *Drive) Run(ctx context.Context) error {
	defer d.stopOnce.Do(func() { close(d.stopped) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.deliverAll(ctx)
	}()
	defer func() { <-done }()
	var noted time.Time
	note := func(ctx context.Context) {
		now := d.now()
		if err := d.sign(ctx, now); err != nil {
			if ctx.Err() == nil {
				d.log.Error("Noting a sign of life failed.", "error", err)
			}
			return
		}
		noted = now
	}
	defer note(context.WithoutCancel(ctx))
	for {
		if d.now().Sub(noted) >= aliveInterval {
			note(ctx)
		}
		d.beats.last.Store(time.Now().UnixNano())
		// Freezes first: who is held is not late.
		turn, err := d.checkFreezes(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("Looking at freezes failed.", "error", err)
		}
		next, err := d.wakeDue(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("Waking releases failed.", "error", err)
		}
		wait := beatInterval
		for _, at := range []time.Time{next, turn} {
			if !at.IsZero() {
				wait = min(max(at.Sub(d.now()), time.Millisecond), wait)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.beat:
			pause(ctx, lookInterval)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wakeDue wakes every run whose time has come and returns when the next is due.
func (d *Drive) wakeDue(ctx context.Context) (time.Time, error) {
	for {
		d.beats.last.Store(time.Now().UnixNano()) // much to do is no reason to count as dead
		var due []string
		var next time.Time
		err := d.store.View(ctx, func(tx Tx) (err error) {
			if due, err = tx.DueRuns(d.now(), dueBatch); err != nil {
				return err
			}
			next, err = tx.NextWake(d.now())
			return err
		})
		if err != nil || len(due) == 0 {
			return next, err
		}
		var failed error
		for _, release := range due {
			if err := d.wake(ctx, release); err != nil {
				// One release that cannot be read must not hold up all others.
				failed = errors.Join(failed, fmt.Errorf("release %s: %w", release, err))
			}
		}
		if failed != nil {
			return next, failed
		}
	}
}

// wake wakes the run, unless another server has done so meanwhile.
func (d *Drive) wake(ctx context.Context, release string) error {
	return d.update(ctx, func(t *transition) error {
		rec, err := t.loadRun(release)
		if err != nil {
			return err
		}
		t.turned()
		if rec.Wake.IsZero() || rec.Wake.After(t.now) {
			return nil
		}
		return t.step(rec, pipeline.Event{Kind: pipeline.EventWoken})
	})
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
