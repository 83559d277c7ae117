package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// How often the loop looks by itself, without having been woken.
const (
	beatInterval = time.Second
	// lookInterval is the least time between two looks: what is woken meanwhile is one.
	lookInterval = 5 * time.Millisecond
	dueBatch     = 200
	// messageBatch messages are claimed at a time, for as long as it takes to send them.
	messageBatch = 4
	messageClaim = time.Minute
	// messageGiveUp is how long a message is tried.
	messageGiveUp = 24 * time.Hour
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

// deliverAll sends the messages of the outbox until the context ends.
func (d *Drive) deliverAll(ctx context.Context) {
	if d.deliver == nil {
		return
	}
	changed, stop := d.Changed()
	defer stop()
	for {
		sent, err := d.deliverDue(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("Delivering messages failed.", "error", err)
		}
		if sent > 0 && err == nil {
			continue
		}
		timer := time.NewTimer(beatInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			pause(ctx, lookInterval)
		case <-timer.C:
		}
		timer.Stop()
	}
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

func (d *Drive) deliverDue(ctx context.Context) (int, error) {
	due, err := d.claimDue(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range due {
		if err := d.deliverOne(ctx, m); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// claimDue returns messages that are due, and keeps other servers from them for a while.
func (d *Drive) claimDue(ctx context.Context) (due []Message, err error) {
	// A look without a lock first: most looks find nothing.
	err = d.store.View(ctx, func(tx Tx) (err error) {
		due, err = tx.DueMessages(d.now(), 1)
		return err
	})
	if err != nil || len(due) == 0 {
		return nil, err
	}
	err = d.store.Update(ctx, func(tx Tx) (err error) {
		now := d.now()
		if due, err = tx.DueMessages(now, messageBatch); err != nil {
			return err
		}
		for _, m := range due {
			m.NotBefore = now.Add(messageClaim)
			if err := tx.PutMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

// deliverOne sends one message, and writes down that it was sent, or when to try
// again. A message may arrive twice after a crash; its ID is the key to tell.
func (d *Drive) deliverOne(ctx context.Context, m Message) error {
	failed := d.deliver(ctx, m)
	if failed != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return d.update(ctx, func(t *transition) error {
		if failed == nil {
			return t.tx.DeleteMessage(m.ID)
		}
		m := m // this may run again
		backoff := min(time.Second<<min(m.Attempts, 12), time.Hour)
		m.Attempts++
		m.NotBefore = t.now.Add(backoff)
		if gaveUp := backoff >= time.Hour && m.Attempts > int(messageGiveUp/time.Hour)+12; gaveUp || fault.CodeOf(failed) == fault.Invalid {
			return t.giveUp(m, failed)
		}
		return t.tx.PutMessage(m)
	})
}

// giveUp removes a message that cannot be delivered and says so in the ledger.
func (t *transition) giveUp(m Message, failed error) error {
	if err := t.tx.DeleteMessage(m.ID); err != nil {
		return err
	}
	rec, err := t.loadRun(m.Release)
	if err != nil {
		return ignoreConflict(err)
	}
	data, _ := json.Marshal(map[string]any{"webhook": m.Webhook, "attempts": m.Attempts})
	lines := []ledger.Event{{
		Release: m.Release, At: t.now, Kind: "notification.lost", Actor: "fairway",
		Text: "A notification could not be delivered: " + fault.MessageOf(failed) + ".", Data: data,
	}}
	if err := t.append(&rec, lines); err != nil {
		return err
	}
	return t.saveRun(rec, rec.Wake)
}
