package drive_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAnExpiredLeaseGoesToAnotherWorkerWithAHigherFence(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	first := r.one("w1")
	r.say(first, stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"seen":true}`)})
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Fatal("a held task was leased twice")
	}
	r.pass(31 * time.Second)
	second := r.one("w2")
	if second.Fence <= first.Fence || string(second.State) != `{"seen":true}` {
		t.Fatalf("the second lease has fence %d after %d and state %s", second.Fence, first.Fence, second.State)
	}
	if reply := r.say(first, stage.Outcome{Status: stage.Failed, Reason: "stale"}); !reply.Cancelled {
		t.Error("a report with an old fence was not answered with cancelled")
	}
	r.want(id, pipeline.RunRunning)
}

func TestAWorkerThatStartsAgainGetsItsTasksBackAtOnce(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	r.one("w1")
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Max: 10, Resume: true})
	if err != nil || len(tasks) != 1 {
		t.Fatalf("resumed with %d tasks, %v", len(tasks), err)
	}
}

func TestATaskThatItsPlanDoesNotKnowHoldsNobodyUp(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error {
		row, err := tx.LoadTask(id, "production")
		row.ID, row.Entry = "t0", "nowhere"
		return errors.Join(err, tx.PutTask(row))
	})
	if err != nil {
		t.Fatal(err)
	}
	if tasks := r.lease("w1"); len(tasks) != 1 || tasks[0].Environment != "production" || tasks[0].ID == "t0" {
		t.Errorf("leased were %+v", tasks)
	}
}

func TestLeaseWaitsForTheFirstTask(t *testing.T) {
	r := newRig(t)
	got := make(chan []stage.Task, 1)
	go func() {
		tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Max: 1, Wait: 10 * time.Second})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		got <- tasks
	}()
	r.ship(oneStage)
	r.Wake()
	select {
	case tasks := <-got:
		if len(tasks) != 1 {
			t.Errorf("leased %d tasks", len(tasks))
		}
	case <-time.After(5 * time.Second):
		t.Error("the waiting worker was not told of the task")
	}
}

func TestTheEndOfTheServerSendsWaitingWorkersHome(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	home := make(chan error, 1)
	go func() {
		tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Wait: 30 * time.Second})
		if err == nil && len(tasks) > 0 {
			err = errors.New("it got a task that nobody made")
		}
		if fault.CodeOf(err) == fault.Unavailable {
			err = nil // it asked when the server had ended already
		}
		home <- err
	}()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-home:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the worker still waits for a task")
	}
}
