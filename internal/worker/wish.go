package worker

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

const (
	leaseWait = 20 * time.Second
	// jobsWait is how long a worker waits that has places, and none for jobs: what it wishes for
	// meanwhile leaves out the job that a place becomes free for.
	jobsWait = time.Second
	// leaseMargin is how much longer than its wait a wish for tasks may take before it counts
	// as lost on the way.
	leaseMargin = 10 * time.Second
	leaseLimit  = leaseWait + leaseMargin
	// mostUrgent is how many tasks that cannot wait a worker without a place asks for at once.
	mostUrgent = 100
)

// wish is for what a worker asks a server. One of each may wait there at the same time.
type wish int

const (
	// firstWish ends the leases of an earlier life of the worker, too, and waits for no task.
	firstWish wish = iota
	// placedWish is for what the worker has places for.
	placedWish
	// urgentWish is for what cannot wait, while no place is free. It is not broken off when one
	// becomes free: a task that was on its way by then would lie until its lease has run out.
	urgentWish
)

// wishes makes one wish of the kind after the other, and starts what is given, until ctx ends;
// the first is made once.
func (w *Worker) wishes(ctx context.Context, of wish) {
	unheard := complaints{log: w.c.Log.With("worker", w.c.Name)}
	wait := retryFirst
	for ctx.Err() == nil {
		tasks, err := w.lease(ctx, of)
		if err != nil {
			if ctx.Err() == nil {
				unheard.tell(err)
			}
			pause(ctx, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		wait = retryFirst
		unheard.forget()
		for _, t := range tasks {
			w.start(ctx, t)
		}
		if of == firstWish {
			return
		}
	}
}

// lease asks for tasks, from a server that fits, once there is something to wish for.
func (w *Worker) lease(ctx context.Context, of wish) ([]stage.Task, error) {
	ask, err := w.ready(ctx, of)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ask.Wait+leaseMargin)
	defer cancel()
	tasks, err := w.c.Server.Lease(ctx, ask)
	if errors.Is(err, stage.ErrUnread) {
		w.understandsNoPlaces()
	}
	return tasks, err
}

// ready waits until there is something to wish for, and greets the server meanwhile: a newer
// one, which understands more, may take its place.
func (w *Worker) ready(ctx context.Context, of wish) (stage.LeaseAsk, error) {
	for {
		wire, err := w.greet(ctx)
		if err != nil {
			return stage.LeaseAsk{}, err
		}
		if ask, ok := w.ask(of, wire); ok {
			return ask, ctx.Err()
		}
		changed := w.places.freed
		if of == urgentWish {
			changed = w.places.filled
		}
		select {
		case <-changed:
		case <-time.After(greetEvery):
		case <-ctx.Done():
			return stage.LeaseAsk{}, ctx.Err()
		}
	}
}

// ask is the wish in the words of the wire; false where there is nothing to wish for now. What
// a server gives that speaks version 3 may be a job, and takes a place.
func (w *Worker) ask(of wish, wire int) (ask stage.LeaseAsk, ok bool) {
	free, jobs := w.places.free()
	ask = stage.LeaseAsk{
		Entries: true, Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Wait: leaseWait,
		Max: free, Holding: w.inHand(), Resume: of == firstWish,
	}
	switch {
	case wire < stage.WirePlaces:
		ask.Max = min(free, jobs)
		ok = of != urgentWish && ask.Max > 0
	case of == urgentWish || of == firstWish && free == 0:
		none := 0
		ask.Max, ask.Jobs, ask.Full = mostUrgent, &none, true
		ok = free == 0
	default:
		ask.Jobs = &jobs
		if jobs == 0 {
			ask.Wait = jobsWait
		}
		ok = free > 0
	}
	if of == firstWish {
		ask.Wait = 0
	}
	return ask, ok
}
