package drive_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// signs gives signs of life of the tasks in the name of who holds the first.
func (r *rig) signs(tasks ...stage.Task) []drive.Reply {
	r.t.Helper()
	signs := stage.Signs{Worker: tasks[0].Held}
	for _, t := range tasks {
		signs.Tasks = append(signs.Tasks, stage.Sign{Task: t.ID, Fence: t.Fence})
	}
	replies, err := r.Signs(context.Background(), signs)
	if err != nil || len(replies) != len(tasks) {
		r.t.Fatalf("%d signs were answered with %+v, %v", len(tasks), replies, err)
	}
	return replies
}

func TestSignsOfLifeRenewLeases(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	for range 10 {
		r.pass(12 * time.Second)
		if reply := r.signs(task)[0]; reply.Cancelled || !reply.LeaseUntil.Equal(r.clock().Add(30*time.Second)) {
			t.Fatalf("a sign of life was answered with %+v", reply)
		}
	}
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Errorf("another worker got %+v", tasks)
	}
	r.apply(id, pipeline.Event{Kind: pipeline.EventPaused, Actor: "ben", Reason: "lunch"})
	if reply := r.signs(task)[0]; reply.Hold == "" || reply.Cancelled {
		t.Errorf("a pause was told as %+v", reply)
	}
	r.pass(time.Minute) // nobody took it: the lease goes on
	if reply := r.signs(task)[0]; reply.Cancelled {
		t.Errorf("a late sign of life was answered with %+v", reply)
	}
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Errorf("after a late sign of life another worker got %+v", tasks)
	}
}

func TestASignOfLifeWritesNothingWhileMuchOfTheLeaseIsLeft(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	until := r.task(id).LeaseUntil
	r.pass(9 * time.Second)
	if reply := r.signs(task)[0]; !reply.LeaseUntil.Equal(until) || !r.task(id).LeaseUntil.Equal(until) {
		t.Errorf("the lease until %v was renewed: %+v", until, reply)
	}
}

// Each of many signs has its own answer, and one that says nothing true changes nothing.
func TestSignsOfTasksThatAreNotHeldAreCancelled(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	older, none, others := task, task, task
	older.Fence, none.ID, others.Held = task.Fence-1, "none", "w2"
	r.pass(20 * time.Second)
	replies := r.signs(older, none, task)
	if !replies[0].Cancelled || !replies[1].Cancelled || replies[2].Cancelled {
		t.Errorf("the signs were answered with %+v", replies)
	}
	if !r.signs(others)[0].Cancelled {
		t.Error("the sign of another worker was taken in")
	}
}

func TestAWorkerWhoseTokenWasNarrowedHolds(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(20 * time.Second)
	until := r.task(id).LeaseUntil
	replies, err := r.Signs(context.Background(), stage.Signs{
		Worker: "w1", Environments: []string{"staging"}, Tasks: []stage.Sign{{Task: task.ID, Fence: task.Fence}},
	})
	if err != nil || replies[0].Hold == "" || !r.task(id).LeaseUntil.Equal(until) {
		t.Errorf("a sign from elsewhere was answered with %+v, %v", replies, err)
	}
}

func TestTooManySignsAreRefused(t *testing.T) {
	_, err := newRig(t).Signs(context.Background(), stage.Signs{Worker: "w1", Tasks: make([]stage.Sign, stage.MostSigns+1)})
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("too many signs: %v", err)
	}
}
