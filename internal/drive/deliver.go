package drive

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
)

const (
	// messageBatch messages are claimed at a time. messageTry is how long sending one may take,
	// and messageClaim how long other servers leave them alone: it is renewed while they are
	// sent, so that those of a server that was killed do not wait for long.
	messageBatch = 4
	messageTry   = 12 * time.Second
	messageClaim = 15 * time.Second
	// messageNote is how long writing down what came of a message may take while the server stops.
	messageNote = 5 * time.Second
	// messageGiveUp is how long a message is tried.
	messageGiveUp = 24 * time.Hour
)

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

// deliverDue sends the messages that are due. When the server stops, it gives those back
// that it has claimed and not sent.
func (d *Drive) deliverDue(ctx context.Context) (int, error) {
	due, err := d.claimDue(ctx)
	if err != nil {
		return 0, err
	}
	for i := range due {
		if ctx.Err() != nil {
			return 0, d.unclaim(ctx, due[i:])
		}
		if ours, err := d.renewClaim(ctx, due[i:]); err != nil || !ours {
			return 0, err
		}
		if err := d.deliverOne(ctx, due[i]); err != nil {
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
		for i := range due {
			due[i].NotBefore = now.Add(messageClaim)
			if err := tx.PutMessage(due[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

// renewClaim keeps other servers from the messages for as long as sending the next one may
// take; false where the claim has run out and they are not this server's any more.
func (d *Drive) renewClaim(ctx context.Context, due []Message) (bool, error) {
	if due[0].NotBefore.Sub(d.now()) >= messageTry+messageClaim/10 {
		return true, nil
	}
	var until time.Time
	err := d.store.Update(ctx, func(tx Tx) error {
		until = d.now().Add(messageClaim)
		for _, m := range due {
			if err := tx.MoveMessage(m.ID, m.NotBefore, until); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range due {
		due[i].NotBefore = until
	}
	return err == nil, ignoreConflict(err)
}

// unclaim lets other servers send the messages at once.
func (d *Drive) unclaim(ctx context.Context, claimed []Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), messageNote)
	defer cancel()
	for _, m := range claimed {
		err := d.update(ctx, func(t *transition) error { return t.tx.MoveMessage(m.ID, m.NotBefore, t.now) })
		if ignoreConflict(err) != nil {
			return err
		}
	}
	return nil
}

// deliverOne sends one message, and writes down that it was sent, or when to try
// again. A message may arrive twice after a crash; its ID is the key to tell.
func (d *Drive) deliverOne(ctx context.Context, m Message) error {
	try, cancel := context.WithTimeout(ctx, messageTry)
	failed := d.deliver(try, m)
	cancel()
	if failed != nil && ctx.Err() != nil {
		return d.unclaim(ctx, []Message{m}) // it may have arrived; twice is better than never
	}
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), messageNote)
	defer cancel()
	return ignoreConflict(d.update(ctx, func(t *transition) error {
		if failed == nil {
			return t.tx.DeleteMessage(m.ID)
		}
		m, was := m, m.NotBefore // this may run again
		backoff := min(time.Second<<min(m.Attempts, 12), time.Hour)
		m.Attempts++
		m.NotBefore = t.now.Add(backoff)
		// Another server may have sent it meanwhile, where this one stood still.
		if err := t.tx.MoveMessage(m.ID, was, m.NotBefore); err != nil {
			return err
		}
		if gaveUp := backoff >= time.Hour && m.Attempts > int(messageGiveUp/time.Hour)+12; gaveUp || fault.CodeOf(failed) == fault.Invalid {
			return t.giveUp(m, failed)
		}
		return t.tx.PutMessage(m)
	}))
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
