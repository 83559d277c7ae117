package drive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// alive notes that the server was alive now, as it does while it runs.
func (r *rig) alive() {
	r.t.Helper()
	err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error { return tx.NoteAlive(r.clock()) })
	if err != nil {
		r.t.Fatal(err)
	}
}

// restart starts a new server on the store, so much later.
func (r *rig) restart(later time.Duration) {
	r.t.Helper()
	r.pass(later)
	r.Drive = drive.New(drive.Config{Store: r.store.Drive(), Now: r.clock, Deliver: r.deliver, LeaseFor: 30 * time.Second})
	if err := r.CatchUp(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// wake does what the loop does when a deadline has come.
func (r *rig) wake(id string) {
	r.t.Helper()
	r.apply(id, pipeline.Event{Kind: pipeline.EventWoken})
}

func TestAWorkerThatFinishedWhileTheServerWasDownIsHeardFirst(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.alive()
	r.restart(3 * time.Hour) // of a time limit of ten minutes
	r.wake(id)
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Fatal("the task went to another worker before its own could report")
	}
	r.pass(25 * time.Second)
	if reply := r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true}); !reply.Cancelled {
		t.Error("an ended task goes on")
	}
	r.want(id, pipeline.RunSucceeded)
	if !r.told(id, "stage.extended") {
		t.Error("the ledger does not say that the deadline moved")
	}
}

func TestAWorkerThatIsGoneLosesItsTaskAfterOneMoreLease(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	r.alive()
	r.restart(time.Hour)
	r.pass(31 * time.Second)
	if next := r.one("w2"); next.Fence <= task.Fence || !next.Deadline.Equal(task.Deadline.Add(time.Hour)) {
		t.Errorf("the next worker has fence %d after %d, and until %s; the first had until %s", next.Fence, task.Fence, next.Deadline, task.Deadline)
	}
}

func TestTheClockOfAStageStandsStillInAnOutage(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(4 * time.Minute)
	r.alive()
	r.restart(2 * time.Hour)
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !reply.Deadline.Equal(task.Deadline.Add(2 * time.Hour)) {
		t.Errorf("the worker has until %s, want two hours after %s", reply.Deadline, task.Deadline)
	}
	r.pass(6*time.Minute - time.Second)
	r.wake(id)
	r.want(id, pipeline.RunRunning)
	r.pass(time.Second)
	r.wake(id)
	r.want(id, pipeline.RunRollingBack)
}

func TestARestartMovesOnlyADeadlineThatIsNear(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, ran time.Duration
		want        time.Duration
	}{
		{"far", time.Minute, 3 * time.Second, 0},
		{"near", 9*time.Minute + 50*time.Second, 3 * time.Second, 33 * time.Second},
		{"passed", 9*time.Minute + 59*time.Second, 3 * time.Second, 42 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			id := r.ship(oneStage)
			task := r.one("w1")
			r.pass(c.before)
			r.alive()
			r.restart(c.ran)
			reply := r.say(task, stage.Outcome{Status: stage.Continue})
			if got := reply.Deadline.Sub(task.Deadline); got != c.want {
				t.Errorf("the deadline moved by %s, want %s", got, c.want)
			}
			if r.told(id, "stage.extended") != (c.want > 0) {
				t.Error("the ledger and the deadline differ")
			}
		})
	}
}

func TestWhatIsHeldGetsNoTimeTwice(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(4 * time.Minute)
	r.apply(id, pipeline.Event{Kind: pipeline.EventPaused, Actor: "ben"})
	r.alive()
	r.restart(time.Hour)
	r.apply(id, pipeline.Event{Kind: pipeline.EventResumed, Actor: "ben"})
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !reply.Deadline.Equal(task.Deadline.Add(time.Hour)) {
		t.Errorf("after a pause of an hour the deadline moved by %s", reply.Deadline.Sub(task.Deadline))
	}
}

func TestAFreezeThatBeganInAnOutageHoldsFromTheStart(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	r.alive()
	r.pass(time.Minute)
	r.freeze(drive.Freeze{ID: "f1", From: r.clock()})
	r.restart(time.Hour)
	r.pass(time.Hour)
	r.wake(id)
	r.want(id, pipeline.RunRunning)
	if task := r.one("w1"); !strings.Contains(task.Hold, "incident") {
		t.Errorf("the first task after the restart is held with %q", task.Hold)
	}
}

func TestASuspendedMachineIsAnOutage(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(10 * time.Second)
	// The machine knows of the jump before the clock follows it.
	if err := r.StoodStill(context.Background(), r.clock().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Hour)
	r.wake(id)
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Error("the task went to another worker")
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !reply.Deadline.Equal(task.Deadline.Add(time.Hour)) {
		t.Errorf("the deadline moved by %s, want an hour", reply.Deadline.Sub(task.Deadline))
	}
	r.want(id, pipeline.RunRunning)
}

const patient = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{%s, timeLimit: 4h}, deploy]
`

func TestAnOutageDoesNotCountForWhatWaitsWithoutAWorker(t *testing.T) {
	for _, wait := range []string{"approval: {roles: [sre]}", `gate: {when: 'latest.tests.status == "passed"'}`} {
		r := newRig(t)
		id := r.ship(fmt.Sprintf(patient, wait))
		r.pass(time.Hour)
		r.alive()
		r.restart(2 * time.Hour) // which leaves another hour, as is nowhere near
		r.pass(3*time.Hour - time.Second)
		r.wake(id)
		r.want(id, pipeline.RunRunning)
		r.pass(time.Second)
		r.wake(id)
		r.want(id, pipeline.RunFailed)
	}
}

// dying is a store whose process is killed after so many commits.
type dying struct {
	drive.Store
	left atomic.Int32
}

func dyingAfter(s drive.Store, commits int) *dying {
	d := &dying{Store: s}
	d.left.Store(int32(commits))
	return d
}

func (d *dying) Update(ctx context.Context, f func(drive.Tx) error) error {
	if d.left.Add(-1) < 0 {
		return errors.New("killed")
	}
	return d.Store.Update(ctx, f)
}

func TestAnOutageIsMadeUpForOnceWhereverTheServerIsKilledMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		excuse func(*rig, *drive.Drive) error
	}{
		{"CatchUp", func(r *rig, d *drive.Drive) error { return d.CatchUp(context.Background()) }},
		{"StoodStill", func(r *rig, d *drive.Drive) error {
			r.pass(-2 * time.Hour) // the clock is still behind
			defer r.pass(2 * time.Hour)
			return d.StoodStill(context.Background(), r.clock().Add(2*time.Hour))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for commits := range 5 {
				r := newRig(t)
				r.ship(oneStage)
				r.ship(strings.ReplaceAll(oneStage, "shop", "till"))
				tasks := r.lease("w1")
				if len(tasks) != 2 {
					t.Fatalf("%d tasks were leased", len(tasks))
				}
				r.pass(4 * time.Minute)
				r.alive()
				r.pass(2 * time.Hour)
				killed := dyingAfter(r.store.Drive(), commits)
				_ = c.excuse(r, drive.New(drive.Config{Store: killed, Now: r.clock, LeaseFor: 30 * time.Second}))
				if killed.left.Load() >= 0 && commits < 3 { // two releases, and then their tasks
					t.Fatalf("nothing was left to do after %d commits", commits)
				}
				r.restart(5 * time.Second)
				for _, task := range tasks {
					reply := r.say(task, stage.Outcome{Status: stage.Continue})
					if got := reply.Deadline.Sub(task.Deadline); got < 2*time.Hour || got > 2*time.Hour+5*time.Second {
						t.Errorf("killed after %d commits: the deadline of %s moved by %s, want two hours", commits, task.Service, got)
					}
				}
			}
		})
	}
}

func TestAServerThatRunsNotesThatItIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Drive = drive.New(drive.Config{Store: r.store.Drive(), Now: time.Now})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		behind := func() time.Duration {
			var last time.Time
			err := r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
				last, err = tx.LastAlive()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return time.Since(last)
		}
		for range 50 {
			time.Sleep(1700 * time.Millisecond)
			synctest.Wait()
			if d := behind(); d > 11*time.Second {
				t.Fatalf("the last sign of life is %s old", d)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if d := behind(); d != 0 {
			t.Errorf("at its end the last sign of life is %s old", d)
		}
	})
}

// meeting is a store whose updates wait until several are under way.
type meeting struct {
	drive.Store
	left atomic.Int64
	met  chan struct{}
}

func (m *meeting) Update(ctx context.Context, f func(drive.Tx) error) error {
	if m.left.Add(-1) == 0 {
		close(m.met)
	}
	select {
	case <-m.met:
		return m.Store.Update(ctx, f)
	case <-time.After(10 * time.Second):
		return errors.New("the others did not come")
	}
}

// Each commit takes its time, and nobody is served until all have heard.
func TestManyReleasesHearOfAnOutageAtTheSameTime(t *testing.T) {
	r := newRig(t)
	var ids []string
	for range 9 {
		ids = append(ids, r.ship(strings.Replace(oneStage, "service: shop", fmt.Sprint("service: shop", r.n), 1)))
	}
	r.alive()
	r.pass(time.Hour)
	m := &meeting{Store: r.store.Drive(), met: make(chan struct{})}
	m.left.Store(4)
	if err := drive.New(drive.Config{Store: m, Now: r.clock}).CatchUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if n := r.count(id, "stage.extended"); n != 1 {
			t.Errorf("%s has heard of the outage %d times", id, n)
		}
	}
}
