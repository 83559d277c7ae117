package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/test/postgres"
)

func TestAWorkerOfOneServerAnswersWhatAnotherIsAsked(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	asked := inquiry.NewSharedDesk(openPostgres(t, url), time.Now)
	listened := inquiry.NewSharedDesk(openPostgres(t, url), time.Now)
	about := inquiry.Inquiry{About: inquiry.Drift, Target: platform.Target{Service: "shop", Environment: "staging"}}

	type result struct {
		answer inquiry.Answer
		err    error
	}
	results := make(chan result, 1)
	go func() {
		a, err := asked.Ask(t.Context(), about)
		results <- result{a, err}
	}()
	elsewhere := inquiry.Wish{Worker: "w2", Environments: []string{"production"}, Wait: time.Second}
	if got, err := listened.Take(t.Context(), elsewhere); err != nil || len(got) > 0 {
		t.Errorf("a worker of production took %v, %v", got, err)
	}
	taken, err := listened.Take(t.Context(), inquiry.Wish{Worker: "w1", Environments: []string{"staging"}, Wait: 20 * time.Second})
	if err != nil || len(taken) != 1 || taken[0].Target != about.Target {
		t.Fatalf("the worker took %v, %v", taken, err)
	}
	if got, err := listened.Take(t.Context(), inquiry.Wish{Worker: "w3", Wait: time.Second}); err != nil || len(got) > 0 {
		t.Errorf("a second worker took %v, %v, which the first has", got, err)
	}
	wrong := inquiry.Answer{Inquiry: taken[0].ID, Environment: "production", Worker: "w1"}
	if err := listened.Answer(t.Context(), wrong); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an answer about another environment: %v, want a conflict", err)
	}
	right := inquiry.Answer{Inquiry: taken[0].ID, Environment: "staging", Worker: "w1", Notes: []string{"looked"}}
	if err := listened.Answer(t.Context(), right); err != nil {
		t.Fatal(err)
	}
	got := <-results
	if got.err != nil || got.answer.Worker != "w1" || len(got.answer.Notes) != 1 {
		t.Errorf("who asked got %+v, %v", got.answer, got.err)
	}
	if err := listened.Answer(t.Context(), right); err != nil {
		t.Errorf("an answer that nobody waits for any more: %v", err)
	}
}

func TestWhoAsksWhereNoWorkerListensIsToldSo(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	desk := inquiry.NewSharedDesk(openPostgres(t, url), time.Now)
	if _, err := desk.Take(t.Context(), inquiry.Wish{Worker: "w1", Environments: []string{"production"}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := desk.Ask(ctx, inquiry.Inquiry{About: inquiry.Drift, Target: platform.Target{Service: "shop", Environment: "staging"}})
	if fault.CodeOf(err) != fault.Unavailable || fault.HintOf(err) != "start one where it reaches the platform: fairway worker --environment staging" {
		t.Errorf("the error is %v, hint %q", err, fault.HintOf(err))
	}
}
