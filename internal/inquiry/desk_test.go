package inquiry_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/platform"
)

func about(environment string) inquiry.Inquiry {
	return inquiry.Inquiry{About: inquiry.Drift, Platform: "kubernetes", Target: platform.Target{Service: "shop", Environment: environment}}
}

// settled waits until a new desk says who is missing.
func settled() *inquiry.Desk {
	d := inquiry.NewDesk()
	time.Sleep(10 * time.Second)
	return d
}

type result struct {
	answer inquiry.Answer
	err    error
	after  time.Duration
}

func ask(t *testing.T, d *inquiry.Desk, q inquiry.Inquiry) <-chan result {
	t.Helper()
	got, began := make(chan result, 1), time.Now()
	go func() {
		a, err := d.Ask(t.Context(), q)
		got <- result{a, err, time.Since(began)}
	}()
	return got
}

// take takes one inquiry, or none after a second.
func take(t *testing.T, d *inquiry.Desk, worker string, environments ...string) []inquiry.Inquiry {
	t.Helper()
	taken, err := d.Take(t.Context(), inquiry.Wish{Worker: worker, Environments: environments, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func answer(t *testing.T, d *inquiry.Desk, q inquiry.Inquiry, worker string) {
	t.Helper()
	a := inquiry.Answer{Inquiry: q.ID, Environment: q.Target.Environment, Worker: worker, Differences: []drift.Difference{{What: drift.Missing}}}
	if err := d.Answer(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerComesBackToWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		staging, production := ask(t, d, about("staging")), ask(t, d, about("production"))
		synctest.Wait()
		q := take(t, d, "w1", "production")
		if len(q) != 1 || q[0].Target.Environment != "production" {
			t.Fatalf("the worker of production got %+v", q)
		}
		answer(t, d, q[0], "w1")
		if got := <-production; got.err != nil || got.answer.Worker != "w1" || len(got.answer.Differences) != 1 {
			t.Errorf("the answer is %+v", got)
		}
		if got := <-staging; fault.CodeOf(got.err) != fault.Unavailable {
			t.Errorf("nobody can answer for staging, and it came to %+v", got)
		}
	})
}

func TestAWorkerThatListensGetsAnInquiryAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		taken := make(chan []inquiry.Inquiry, 1)
		go func() { taken <- take(t, d, "w1") }()
		synctest.Wait()
		got := ask(t, d, about("staging"))
		answer(t, d, (<-taken)[0], "w1")
		if r := <-got; r.err != nil || r.after > 0 {
			t.Errorf("it came to %+v", r)
		}
	})
}

func TestThatNoWorkerListensIsSaidWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		take(t, d, "w1", "production") // of another environment
		got := <-ask(t, d, about("staging"))
		if fault.CodeOf(got.err) != fault.Unavailable || !strings.Contains(got.err.Error(), "no worker of staging is connected") || fault.HintOf(got.err) == "" {
			t.Errorf("it came to %+v", got)
		}
		if got.after > 5*time.Second {
			t.Errorf("it took %s", got.after)
		}
	})
}

func TestAServerThatHasJustStartedWaitsForItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := inquiry.NewDesk()
		got := ask(t, d, about("staging"))
		time.Sleep(5 * time.Second) // the longest that a worker waits between two tries
		answer(t, d, take(t, d, "w1")[0], "w1")
		if r := <-got; r.err != nil {
			t.Errorf("it came to %+v", r)
		}
	})
}

func TestTwoWorkersShareTheInquiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		first, second := ask(t, d, about("staging")), ask(t, d, about("staging"))
		synctest.Wait()
		a, b := take(t, d, "w1"), take(t, d, "w2")
		if len(a) != 1 || len(b) != 1 || a[0].ID == b[0].ID {
			t.Fatalf("they got %+v and %+v", a, b)
		}
		if more := take(t, d, "w3"); len(more) != 0 {
			t.Errorf("a third worker got %+v", more)
		}
		answer(t, d, a[0], "w1")
		answer(t, d, b[0], "w2")
		if r := <-first; r.err != nil {
			t.Error(r.err)
		}
		if r := <-second; r.err != nil {
			t.Error(r.err)
		}
	})
}

func TestAnotherWorkerIsAskedWhenOneIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		got := ask(t, d, about("staging"))
		synctest.Wait()
		lost := take(t, d, "w1")[0]
		began := time.Now()
		var again []inquiry.Inquiry
		for len(again) == 0 {
			again = take(t, d, "w2")
		}
		if again[0].ID != lost.ID || time.Since(began) > 25*time.Second {
			t.Errorf("after %s the second worker got %+v", time.Since(began), again)
		}
		answer(t, d, again[0], "w2")
		if r := <-got; r.err != nil || r.answer.Worker != "w2" {
			t.Errorf("it came to %+v", r)
		}
		answer(t, d, lost, "w1") // who was believed dead answers to nobody
	})
}

func TestAWorkerThatNeverAnswersIsNotWaitedForLongerThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			for ctx.Err() == nil {
				_, _ = d.Take(ctx, inquiry.Wish{Worker: "w1", Wait: time.Second})
			}
		}()
		got := <-ask(t, d, about("staging"))
		if fault.CodeOf(got.err) != fault.Unavailable || got.after > time.Minute || !strings.Contains(got.err.Error(), "has answered within") {
			t.Errorf("it came to %+v", got)
		}
	})
}

func TestNobodyIsAskedForWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := d.Ask(ctx, about("staging")); gone <- err }()
		synctest.Wait()
		q := take(t, d, "w1")[0]
		leave()
		if err := <-gone; err == nil {
			t.Error("who has gone got an answer")
		}
		answer(t, d, q, "w1")
		if more := take(t, d, "w1"); len(more) != 0 {
			t.Errorf("the inquiry of who has gone is still there: %+v", more)
		}
	})
}

func TestAWorkersTroubleIsNotThatOfWhoAsks(t *testing.T) {
	for code, want := range map[fault.Code]fault.Code{
		fault.Denied: fault.Conflict, fault.Internal: fault.Unavailable, fault.Invalid: fault.Invalid,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := settled()
			got := ask(t, d, about("staging"))
			synctest.Wait()
			q := take(t, d, "w1")[0]
			trouble := &inquiry.Trouble{Code: code, Message: "services is forbidden", Hint: "give it the role"}
			if err := d.Answer(t.Context(), inquiry.Answer{Inquiry: q.ID, Environment: "staging", Worker: "w1", Trouble: trouble}); err != nil {
				t.Fatal(err)
			}
			r := <-got
			if fault.CodeOf(r.err) != want || r.err.Error() != "the worker w1 of staging: services is forbidden" || fault.HintOf(r.err) != "give it the role" {
				t.Errorf("%s came to %v (%s)", code, r.err, fault.CodeOf(r.err))
			}
		})
	}
}

func TestAnAnswerAboutAnotherEnvironmentIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := settled()
		got := ask(t, d, about("production"))
		synctest.Wait()
		q := take(t, d, "w1")[0]
		err := d.Answer(t.Context(), inquiry.Answer{Inquiry: q.ID, Environment: "staging"})
		if fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the refusal is %v", err)
		}
		answer(t, d, q, "w1")
		<-got
	})
}
