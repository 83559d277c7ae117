package drive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAClockSetBackOverARestartHoldsNothingUp(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	held := r.one("w1")
	id := r.ship(strings.ReplaceAll(oneStage, "shop", "till")) // whose task waits
	r.pass(4 * time.Minute)
	r.say(held, stage.Outcome{Status: stage.Continue})
	r.alive()
	r.restart(-time.Hour)
	waiting := r.one("w2")
	if waiting.Release == held.Release {
		t.Error("the task of a worker that may live was given away at once")
	}
	if !waiting.Deadline.Equal(r.clock().Add(6 * time.Minute)) {
		t.Errorf("the task has %s left of ten minutes after four", waiting.Deadline.Sub(r.clock()))
	}
	if !r.told(id, "release.moved-back") {
		t.Error("the ledger does not say that the clock was set back")
	}
	r.pass(31 * time.Second)
	if again := r.lease("w3"); len(again) != 2 {
		t.Errorf("31 s after the start %d tasks of workers that are gone could be leased, want 2", len(again))
	}
	r.pass(6*time.Minute - 32*time.Second)
	r.wake(id)
	r.want(id, pipeline.RunRunning)
	r.pass(time.Second)
	if due := r.due(); len(due) != 2 {
		t.Errorf("at the end of the time limits %v are due, want both", due)
	}
	r.wake(id)
	r.want(id, pipeline.RunRollingBack)
}

// due are the releases that are to be woken now.
func (r *rig) due() (ids []string) {
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
		ids, err = tx.DueRuns(r.clock(), 0)
		return err
	})
	return ids
}

func TestAWrongJumpOfYearsIsTakenBackAtTheNextStart(t *testing.T) {
	const years = 2 * 365 * 24 * time.Hour
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	r.pass(20 * time.Second)
	if err := r.StoodStill(context.Background(), r.clock().Add(years)); err != nil {
		t.Fatal(err)
	}
	r.pass(years)
	r.pass(20 * time.Second)
	r.alive()
	r.restart(-years)
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Error("the task went to another worker")
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !reply.Deadline.Equal(task.Deadline) {
		t.Errorf("the deadline is %s off", reply.Deadline.Sub(task.Deadline))
	}
	r.pass(31 * time.Second)
	r.one("w2")
}

func TestAMessageIsTriedAgainThoughTheClockWasSetBack(t *testing.T) {
	r := newRig(t)
	soon := r.clock().Add(time.Second)
	err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error {
		return tx.PutMessage(drive.Message{ID: "m", Release: "r", Body: []byte("{}"), NotBefore: soon})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.alive()
	r.restart(-time.Hour)
	r.pass(time.Second)
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) error {
		if due, err := tx.DueMessages(r.clock(), 0); len(due) != 1 || err != nil {
			t.Errorf("due are %v, %v", due, err)
		}
		return nil
	})
}

func TestChoresDoNotWaitForATimeThatAWrongClockHasShown(t *testing.T) {
	const year, day = 365 * 24 * time.Hour, 24 * time.Hour
	r := newRig(t)
	right := r.clock()
	r.pass(year)
	r.update(func(tx drive.Tx) error {
		if mine, err := tx.Claim("sweep", r.clock(), r.clock().Add(time.Hour)); err != nil || !mine {
			t.Errorf("the first claim: %v, %v", mine, err)
		}
		return tx.ChoreDone("sweep", r.clock(), r.clock().Add(day), 0)
	})
	r.alive()
	r.restart(-year)
	r.update(func(tx drive.Tx) error {
		if c, err := tx.Chore("sweep"); err != nil || !c.Done.Equal(right) {
			t.Errorf("it was done at %s, %v, want %s", c.Done, err, right)
		}
		if mine, err := tx.Claim("sweep", r.clock().Add(day), r.clock().Add(2*day)); err != nil || !mine {
			t.Errorf("a day later it is due: %v, %v", mine, err)
		}
		return nil
	})
}

// update runs a transaction on the store.
func (r *rig) update(f func(drive.Tx) error) {
	r.t.Helper()
	if err := r.store.Drive().Update(context.Background(), f); err != nil {
		r.t.Fatal(err)
	}
}

func TestAClockSetBackMovesAllOnceWhereverTheServerIsKilledMeanwhile(t *testing.T) {
	for commits := range 5 {
		r := newRig(t)
		r.ship(oneStage)
		r.ship(strings.ReplaceAll(oneStage, "shop", "till"))
		r.pass(4 * time.Minute)
		r.alive()
		r.pass(-2 * time.Hour)
		killed := dyingAfter(r.store.Drive(), commits)
		_ = drive.New(drive.Config{Store: killed, Now: r.clock, LeaseFor: 30 * time.Second}).CatchUp(context.Background())
		r.restart(5 * time.Second)
		tasks := r.lease("w1")
		if len(tasks) != 2 {
			t.Fatalf("killed after %d commits: %d tasks can be leased, want 2", commits, len(tasks))
		}
		for _, task := range tasks {
			if left := task.Deadline.Sub(r.clock()); left < 6*time.Minute-5*time.Second || left > 6*time.Minute {
				t.Errorf("killed after %d commits: %s has %s left, want six minutes", commits, task.Service, left)
			}
		}
	}
}

func TestAFreezeStaysWhereItsPeoplePutItWhenTheClockIsSetBack(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	r.freeze(drive.Freeze{ID: "f1", From: r.clock().Add(-2 * time.Hour), Until: r.clock().Add(-30 * time.Minute)})
	r.alive()
	r.restart(-time.Hour)
	if task := r.one("w1"); !strings.Contains(task.Hold, "incident") {
		t.Errorf("in the time of the freeze the task is held with %q", task.Hold)
	}
}
