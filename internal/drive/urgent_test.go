package drive_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// service is a definition of a service of its own, so that its releases wait for no lane.
func service(name, stages string) string {
	return "service: " + name + "\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments:\n  - name: production\n    stages: [" + stages + "]\n"
}

// wish asks as a worker with so many places.
func (r *rig) wish(ask drive.LeaseAsk) []stage.Task {
	r.t.Helper()
	ask.Entries = true
	tasks, err := r.Lease(context.Background(), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	return tasks
}

// begun ships a canary and lets the worker begin it.
func (r *rig) begun(worker, of string) stage.Task {
	r.t.Helper()
	r.ship(service(of, "canary, promote"))
	task := r.one(worker)
	r.say(task, stage.Outcome{Status: stage.Continue, Exposed: true, State: json.RawMessage(`{"level":1}`)})
	return task
}

func TestAFullWorkerTakesWhatADeadOneHasBegun(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, of := range []string{"a", "b", "c", "d"} {
			r.begun("w1", of)
		}
		r.ship(service("waiting", "deploy"))
		full := drive.LeaseAsk{Worker: "w2", Max: 100, Full: true}
		if tasks := r.wish(full); len(tasks) != 0 {
			t.Fatalf("while it could wait a full worker got %d tasks", len(tasks))
		}
		r.pass(30*time.Second + time.Second/2)
		if tasks := r.wish(full); len(tasks) != 0 {
			t.Fatalf("before those with a place have looked a full worker got %d tasks", len(tasks))
		}
		r.pass(time.Second)
		tasks := r.wish(full)
		if len(tasks) != 4 {
			t.Fatalf("a full worker got %d of the four canaries of a dead one", len(tasks))
		}
		for _, task := range tasks {
			if task.Stage.Kind != pipeline.KindCanary || string(task.State) != `{"level":1}` {
				t.Errorf("it got %s with the state %s", task.Stage.Kind, task.State)
			}
		}
	})
}

func TestAnUndoingGoesBeforeWhatWaitsLonger(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		canary := r.begun("w1", "shop")
		r.ship(service("older", "deploy"))
		r.pass(time.Minute)
		r.apply(canary.Release, pipeline.Event{Kind: pipeline.EventRollback, Actor: "anna", Reason: "no"})
		// The place of the canary becomes free by its rollback.
		if tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 1}); len(tasks) != 1 || !tasks[0].Undo {
			t.Fatalf("the first free place went to %+v", tasks)
		}
		if tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 1}); len(tasks) != 1 || tasks[0].Service != "older" {
			t.Errorf("the next one went to %+v", tasks)
		}
	})
}

func TestAFullWorkerThatWaitsHearsOfARollbackAtOnce(t *testing.T) {
	r := newRig(t)
	canary := r.begun("w1", "shop")
	r.ship(service("older", "deploy"))
	got := make(chan []stage.Task, 1)
	go func() {
		tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Entries: true, Worker: "w1", Max: 100, Full: true, Wait: 20 * time.Second})
		if err != nil {
			t.Error(err)
		}
		got <- tasks
	}()
	r.apply(canary.Release, pipeline.Event{Kind: pipeline.EventRollback, Actor: "anna", Reason: "no"})
	select {
	case tasks := <-got:
		if len(tasks) != 1 || !tasks[0].Undo {
			t.Errorf("it got %+v", tasks)
		}
	case <-time.After(5 * time.Second):
		t.Error("it was not told")
	}
}

// Users have what the stage before gave them, so what follows is not as good as new.
func TestWhatFollowsACanaryCannotWait(t *testing.T) {
	r := newRig(t)
	r.say(r.begun("w1", "shop"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.ship(service("new", "canary, promote"))
	tasks := r.wish(drive.LeaseAsk{Worker: "w2", Max: 100, Full: true})
	if len(tasks) != 1 || tasks[0].Stage.Kind != pipeline.KindPromote {
		t.Errorf("a full worker got %+v", tasks)
	}
}

func TestAWorkerGetsAsManyJobsAsItHasPlacesFor(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, of := range []string{"a", "b", "c", "f"} {
			r.ship(service(of, "{job: {run: ./migrate}}, deploy"))
		}
		r.ship(service("d", "deploy"))
		r.ship(service("e", "deploy"))
		two, none := 2, 0
		jobs := func(tasks []stage.Task) (n int) {
			for _, task := range tasks {
				if task.Stage.RunsCommand() {
					n++
				}
			}
			return n
		}
		if tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 10, Jobs: &two}); len(tasks) != 4 || jobs(tasks) != 2 {
			t.Errorf("with places for two jobs it got %d of %d tasks", jobs(tasks), len(tasks))
		}
		if tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 10, Jobs: &none}); len(tasks) != 0 {
			t.Errorf("without a place for a job it got %+v", tasks)
		}
		// One from before there was a number of jobs takes whatever it has places for.
		if tasks := r.wish(drive.LeaseAsk{Worker: "w2", Max: 10}); jobs(tasks) != 2 {
			t.Errorf("an older worker got %d jobs", jobs(tasks))
		}
		r.pass(32 * time.Second)
		// A job that was begun waits for a place, as a new one does.
		if tasks := r.wish(drive.LeaseAsk{Worker: "w3", Max: 100, Jobs: &none, Full: true}); len(tasks) != 2 || jobs(tasks) != 0 {
			t.Errorf("a full worker got %d of %d tasks, want the deploys", jobs(tasks), len(tasks))
		}
	})
}

// A server from before there was the column leaves it as it is, or as nothing; a lease looks it up.
func TestAnUnknownJobIsKnownOnceItWasLeased(t *testing.T) {
	r := newRig(t)
	id := r.ship(service("shop", "{job: {run: ./migrate}}, deploy"))
	stored := func(change func(tx drive.Tx, row drive.TaskRow) error) (row drive.TaskRow) {
		err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) (err error) {
			if row, err = tx.LoadTask(id, "production"); err != nil || change == nil {
				return err
			}
			return change(tx, row)
		})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	if !stored(nil).Job {
		t.Fatal("a job is not known as one")
	}
	stored(func(tx drive.Tx, row drive.TaskRow) error {
		row.Job = false
		return tx.PutTask(row)
	})
	none := 0
	tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 1, Jobs: &none})
	if len(tasks) != 1 || !stored(nil).Job {
		t.Fatalf("%d tasks were leased, and the job is known: %v", len(tasks), stored(nil).Job)
	}
	r.leave(tasks[0], 0, stage.Outcome{Status: stage.Continue}, "") // one job too many
	if tasks := r.wish(drive.LeaseAsk{Worker: "w1", Max: 1, Jobs: &none}); len(tasks) != 0 {
		t.Error("it was given again")
	}
}
