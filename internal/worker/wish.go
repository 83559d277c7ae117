package worker

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
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
	if err := w.greet(ctx); err != nil {
		return nil, err
	}
	ask := w.wish(ctx)
	ask.Resume = resume
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, ask.Wait+leaseMargin)
	defer cancel()
	tasks, err := w.c.Server.Lease(ctx, ask)
	if fault.CodeOf(err) == fault.Invalid && w.wire >= stage.WirePlaces {
		w.wire = stage.WirePlaces - 1 // servers may be of several builds; until the next greeting
	}
	return tasks, err
}

// wish is what the worker has places for.
func (w *Worker) wish(ctx context.Context) stage.LeaseAsk {
	ask := stage.LeaseAsk{Entries: true, Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Wait: leaseWait}
	free, jobs := w.places.free()
	if w.wire < stage.WirePlaces {
		// Whatever such a server gives may be a job, and takes a place.
		for ; min(free, jobs) == 0 && ctx.Err() == nil; free, jobs = w.places.free() {
			select {
			case <-w.places.freed:
			case <-ctx.Done():
			}
		}
		ask.Max, ask.Holding = min(free, jobs), w.inHand()
		return ask
	}
	ask.Max, ask.Jobs, ask.Holding = free, &jobs, w.inHand()
	if free == 0 {
		ask.Max, ask.Full = mostUrgent, true
	}
	if jobs == 0 {
		ask.Wait = fullWait
	}
	return ask
}
