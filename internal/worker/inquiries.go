package worker

import (
	"context"

	"github.com/fairwayhq/fairway/internal/inquiry"
)

// Desk is where inquiries come from and answers go.
type Desk interface {
	Take(ctx context.Context, w inquiry.Wish) ([]inquiry.Inquiry, error)
	Answer(ctx context.Context, a inquiry.Answer) error
}

// atOnce is how many inquiries are answered at the same time: a cluster that does not
// answer keeps the others from waiting. They take no slot of a task, nor wait for one.
const atOnce = 2

// listen answers inquiries until ctx ends. Run waits for it as for a task.
func (w *Worker) listen(ctx context.Context) {
	if w.c.Desk == nil {
		return
	}
	for range atOnce {
		w.tasks.Go(func() { w.answerInquiries(ctx) })
	}
}

func (w *Worker) answerInquiries(ctx context.Context) {
	for wait := retryFirst; ctx.Err() == nil; {
		limited, cancel := context.WithTimeout(ctx, leaseLimit)
		asked, err := w.c.Desk.Take(limited, inquiry.Wish{Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions, Wait: leaseWait})
		cancel()
		if err != nil {
			// Leasing fails too then, and says so. An older server has no inquiries.
			if ctx.Err() == nil {
				w.c.Log.Debug("Taking inquiries failed.", "worker", w.c.Name, "error", err)
			}
			pause(ctx, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		wait = retryFirst
		for _, q := range asked {
			w.answer(ctx, q)
		}
	}
}

// answer finds the answer and sends it. One that is lost is asked for again.
func (w *Worker) answer(ctx context.Context, q inquiry.Inquiry) {
	a := w.c.Respond(ctx, q)
	if ctx.Err() != nil {
		return // what was found is that this worker ends; another one is asked
	}
	if err := w.c.Desk.Answer(ctx, a); err != nil && ctx.Err() == nil {
		w.c.Log.Warn("The server did not take an answer.", "service", q.Target.Service, "environment", q.Target.Environment, "worker", w.c.Name, "error", err)
	}
}
