package drive_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAReportThatComesAfterTheDeadlineDoesNotReplaceTheUndo(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(11 * time.Minute)
	if reply := r.say(task, stage.Outcome{Status: stage.Continue, Exposed: true}); !reply.Cancelled {
		t.Error("the task goes on after its time limit")
	}
	if undo := r.one("w1"); !undo.Undo {
		t.Error("the undo was replaced")
	}
	r.want(id, pipeline.RunRollingBack)
}

func TestAFailureAtTheTimeLimitSaysWhatTheWorkerWasAt(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	for _, now := range []string{"placing v1", "trying again: connection refused"} {
		r.say(task, stage.Outcome{Status: stage.Continue, Progress: &stage.Progress{Now: now}})
	}
	r.pass(11 * time.Minute)
	r.apply(id, pipeline.Event{Kind: pipeline.EventWoken})
	want := "it did not finish within its time limit of 10m; last: trying again: connection refused"
	if got := r.run(id).Environments[0].Stages[0].Reason; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
}

func TestAStagePastItsDeadlineIsWokenAndTakenBack(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	r.pass(11 * time.Minute)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	changed, unsubscribe := r.Changed()
	defer unsubscribe()
	for r.run(id).State == pipeline.RunRunning {
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody woke the run")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.want(id, pipeline.RunRollingBack)
}
