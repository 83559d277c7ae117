package drive

import (
	"context"
	"fmt"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Signs takes in a worker's signs of life, and answers each, in their order. Nothing is
// written as long as much of the leases is left, and then nothing but the leases.
func (d *Drive) Signs(ctx context.Context, signs stage.Signs) ([]Reply, error) {
	if len(signs.Tasks) > stage.MostSigns {
		return nil, fault.Errorf(fault.Invalid, "%d signs of life at once are more than %d", len(signs.Tasks), stage.MostSigns)
	}
	ids := make([]string, len(signs.Tasks))
	for i, s := range signs.Tasks {
		ids[i] = s.Task
	}
	rows := map[string]TaskRow{}
	err := d.store.View(ctx, func(tx Tx) error {
		found, err := tx.TasksByID(ids)
		for _, row := range found {
			rows[row.ID] = row
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	now := d.now()
	until := now.Add(d.leaseFor)
	replies := make([]Reply, len(signs.Tasks))
	var due []string
	for i, s := range signs.Tasks {
		row, ok := rows[s.Task]
		switch {
		case !ok || row.Fence != s.Fence || row.Holder != signs.Worker:
			replies[i].Cancelled = true
		case !row.place().within(signs.Environments, signs.Regions):
			replies[i] = Reply{Hold: fmt.Sprintf("the worker's token is not for %s any more", row.Entry)}
		default:
			replies[i] = replyOf(row)
			if row.LeaseUntil.Sub(now) < d.leaseFor*2/3 {
				due, replies[i].LeaseUntil = append(due, s.Task), until
			}
		}
	}
	if len(due) == 0 {
		return replies, nil
	}
	return replies, d.store.Update(ctx, func(tx Tx) error { return tx.Renew(due, signs.Worker, until) })
}
