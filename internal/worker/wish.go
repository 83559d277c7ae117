package worker

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

const (
	leaseWait = 20 * time.Second
	// fullWait is how long a worker waits that lacks places: what it wishes for while it waits
	// leaves out what a place that becomes free meanwhile would be for.
	fullWait = time.Second
	// leaseMargin is how much longer than its wait a wish for tasks may take before it counts
	// as lost on the way.
	leaseMargin = 10 * time.Second
	leaseLimit  = leaseWait + leaseMargin
	// mostUrgent is how many tasks that cannot wait a worker without a place asks for at once.
	mostUrgent = 100
)

// lease asks for tasks, from a server that fits. A worker always asks, also without a place
// for more: some tasks cannot wait.
func (w *Worker) lease(ctx context.Context, resume bool) ([]stage.Task, error) {
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	ask := w.wish()
	ask.Resume = resume
	ctx, cancel := context.WithTimeout(ctx, ask.Wait+leaseMargin)
	defer cancel()
	tasks, err := w.c.Server.Lease(ctx, ask)
	if errors.Is(err, stage.ErrUnread) && w.wire >= stage.WirePlaces {
		w.wire = stage.WirePlaces - 1 // servers may be of several builds; until the next greeting
	}
	return tasks, err
}

// ready returns when the server may be asked. What one gives that speaks version 3 of the wire
// may be a job, and takes a place: it is not asked where none is free. A newer server may come
// instead of it meanwhile, so it is greeted all the same.
func (w *Worker) ready(ctx context.Context) error {
	for {
		if err := w.greet(ctx); err != nil {
			return err
		}
		free, jobs := w.places.free()
		if w.wire >= stage.WirePlaces || min(free, jobs) > 0 {
			return ctx.Err()
		}
		select {
		case <-w.places.freed:
		case <-time.After(greetEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wish is what the worker has places for.
func (w *Worker) wish() stage.LeaseAsk {
	free, jobs := w.places.free()
	ask := stage.LeaseAsk{
		Entries: true, Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Wait: leaseWait,
		Max: free, Holding: w.inHand(),
	}
	if w.wire < stage.WirePlaces {
		ask.Max = min(free, jobs)
		return ask
	}
	ask.Jobs = &jobs
	if free == 0 {
		ask.Max, ask.Full = mostUrgent, true
	}
	if jobs == 0 {
		ask.Wait = fullWait
	}
	return ask
}
