package worker_test

import (
	"context"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/worker"
)

// flaky is a desk whose first answers are errors.
type flaky struct {
	mu sync.Mutex
	*inquiry.Desk
	errors int
}

func (f *flaky) Take(ctx context.Context, w inquiry.Wish) ([]inquiry.Inquiry, error) {
	f.mu.Lock()
	down := f.errors > 0
	f.errors--
	f.mu.Unlock()
	if down {
		return nil, fault.Errorf(fault.Unavailable, "connection refused")
	}
	return f.Desk.Take(ctx, w)
}

// run runs a worker until the test ends.
func run(t *testing.T, c worker.Config) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = worker.New(c).Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
}

func staging() inquiry.Inquiry {
	return inquiry.Inquiry{About: inquiry.Drift, Target: platform.Target{Service: "shop", Environment: "staging"}}
}

func TestAWorkerAnswersInquiries(t *testing.T) {
	desk := inquiry.NewDesk()
	run(t, worker.Config{Name: "w1", Server: newServer(), Desk: desk, Respond: func(_ context.Context, q inquiry.Inquiry) inquiry.Answer {
		return inquiry.Answer{Inquiry: q.ID, Environment: q.Target.Environment, Worker: "w1", Notes: []string{q.Target.Service}}
	}})
	for range 3 {
		a, err := desk.Ask(t.Context(), staging())
		if err != nil || a.Worker != "w1" || a.Notes[0] != "shop" {
			t.Fatalf("the answer is %+v: %v", a, err)
		}
	}
}

// A worker that is busy with tasks answers all the same, and one slow answer does not
// hold up the next.
func TestNothingElseKeepsAWorkerFromAnswering(t *testing.T) {
	desk := inquiry.NewDesk()
	first := make(chan struct{}, 1)
	first <- struct{}{}
	begun := make(chan struct{})
	run(t, worker.Config{Name: "w1", Server: newServer(), Desk: desk, Respond: func(ctx context.Context, q inquiry.Inquiry) inquiry.Answer {
		select {
		case <-first:
			close(begun)
			<-ctx.Done()
		default:
		}
		return inquiry.Answer{Inquiry: q.ID, Environment: q.Target.Environment, Worker: "w1"}
	}})
	ctx, leave := context.WithCancel(t.Context())
	slow := make(chan struct{})
	go func() { defer close(slow); _, _ = desk.Ask(ctx, staging()) }()
	<-begun
	if _, err := desk.Ask(t.Context(), staging()); err != nil {
		t.Errorf("behind a slow one: %v", err)
	}
	leave()
	<-slow
}

func TestAWorkerComesBackToADeskThatWasGone(t *testing.T) {
	desk := &flaky{Desk: inquiry.NewDesk(), errors: 1}
	run(t, worker.Config{Name: "w1", Server: newServer(), Desk: desk, Respond: func(_ context.Context, q inquiry.Inquiry) inquiry.Answer {
		return inquiry.Answer{Inquiry: q.ID, Environment: q.Target.Environment, Worker: "w1"}
	}})
	if _, err := desk.Ask(t.Context(), staging()); err != nil {
		t.Error(err)
	}
}
