package drive

import (
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// elsewhereWait is how long a task waits that its worker cannot carry out, so that
// another one finds it free.
const elsewhereWait = 5 * time.Second

// left takes a task back from a worker that lets go of it, with what it said last. Nothing
// that the worker may still have under way, such as a sign of life, holds it any more.
func (t *transition) left(row TaskRow, rep Report, leaseFor time.Duration, reply *Reply) error {
	if rep.Number > row.Reported {
		row.Reported = rep.Number
		if err := t.report(row, rep.Outcome, leaseFor, reply); err != nil {
			return err
		}
	}
	now, err := t.tx.LoadTask(row.Release, row.Entry)
	if fault.CodeOf(err) == fault.NotFound || err == nil && now.ID != row.ID {
		return nil // the outcome has ended it
	}
	if err != nil {
		return err
	}
	now.Holder, now.LeaseUntil = "", t.now
	if rep.Why != "" {
		now.NotBefore = t.now.Add(elsewhereWait)
		if now.Progress, err = waiting(now.Progress, rep.Why); err != nil {
			return err
		}
	}
	*reply = Reply{Cancelled: true}
	return t.putTask(now)
}

// waiting is the progress of a task that no worker may carry out yet, with the traffic that
// it has all the same.
func waiting(progress json.RawMessage, why string) (json.RawMessage, error) {
	var p stage.Progress
	_ = json.Unmarshal(progress, &p) // nothing, or what nobody could show either
	p.Now, p.Next, p.NextAt = "waiting: "+why, "", time.Time{}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode progress: %w", err)
	}
	return text, nil
}

// drained tells whether the server stops: what has a lease goes on, and nothing gets one.
func (d *Drive) drained() bool {
	select {
	case <-d.stopped:
		return true
	default:
		return false
	}
}
