package drive

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
)

const (
	// messageBatch messages are claimed at a time, for as long as it takes to send them.
	messageBatch = 4
	messageClaim = time.Minute
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
