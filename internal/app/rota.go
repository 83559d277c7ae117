package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
)

// rota is what the servers on a store know together of chores, each of which one of them does.
type rota struct {
	store drive.Store
	now   func() time.Time
}

// look tells how it stands about the work, and whether it is due.
func (r rota) look(ctx context.Context, work string) (found drive.Chore, due bool, err error) {
	err = r.store.View(ctx, func(tx drive.Tx) (err error) {
		found, err = tx.Chore(work)
		return err
	})
	return found, err == nil && !r.now().Before(found.Until), err
}

// claim makes the work this server's for so long, if no other one has it.
func (r rota) claim(ctx context.Context, work string, patience time.Duration) (mine bool, err error) {
	now := r.now()
	return r.claimAt(ctx, work, now, now.Add(patience))
}

// claimAt makes the work this server's until the instant, where a claim before runs out at
// now: also this server's own, which it renews so.
func (r rota) claimAt(ctx context.Context, work string, now, until time.Time) (mine bool, err error) {
	err = r.store.Update(ctx, func(tx drive.Tx) (err error) {
		mine, err = tx.Claim(work, now, until)
		return err
	})
	return mine, err
}

// done tells all servers what was found.
func (r rota) done(ctx context.Context, work string, every time.Duration, found int64) error {
	return r.store.Update(ctx, func(tx drive.Tx) error {
		now := r.now()
		return tx.ChoreDone(work, now, now.Add(every), found)
	})
}

// once has the work done if it is due, and renews its claim for as long as that takes: no
// other server does it meanwhile, and where this one is killed, another one waits for the
// patience only. What was broken off is due at once.
func (r rota) once(ctx context.Context, work string, every, patience time.Duration, do func(context.Context) error) error {
	began := r.now()
	if mine, err := r.claimAt(ctx, work, began, began.Add(patience)); err != nil || !mine {
		return err
	}
	held, lose := context.WithCancel(ctx)
	defer lose()
	var renewing sync.WaitGroup
	renewing.Go(func() {
		defer lose()
		r.hold(held, work, began.Add(patience), patience)
	})
	err := do(held)
	if held.Err() != nil && ctx.Err() == nil {
		return err // another server has it
	}
	lose()
	renewing.Wait()
	// A little early, so that this server does not miss its own next turn.
	due := every - every/10 - r.now().Sub(began)
	if ctx.Err() != nil {
		due = 0
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	return errors.Join(err, r.done(ctx, work, due, 0))
}

// noteTime is how long it may take to note what was done while the server stops.
const noteTime = 5 * time.Second

// hold renews a claim until ctx ends; it returns before where another server has it.
func (r rota) hold(ctx context.Context, work string, until time.Time, patience time.Duration) {
	pace := time.NewTicker(patience / 4)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		next := r.now().Add(patience)
		switch mine, err := r.claimAt(ctx, work, until, next); {
		case err != nil: // the database is away; the claim may be good for another try
		case !mine:
			return
		default:
			until = next
		}
	}
}
