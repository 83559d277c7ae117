package drive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// leave gives a task back, as a worker does that stops or, for the reason, cannot go on.
func (r *rig) leave(t stage.Task, number int64, out stage.Outcome, why string) {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Entry: t.Entry, Worker: t.Held, Fence: t.Fence,
		Number: number, Outcome: out, Left: true, Why: why,
	})
	if err != nil || !reply.Cancelled {
		r.t.Fatalf("giving a task back was answered with %+v, %v", reply, err)
	}
}

func TestATaskThatIsGivenBackGoesOnAtOnce(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	r.leave(task, 1, stage.Outcome{Status: stage.Continue, State: []byte(`{"level":1}`)}, "")
	// A sign of life that was on its way holds nothing any more.
	late, err := r.Report(context.Background(), drive.Report{
		Task: task.ID, Release: task.Release, Environment: task.Environment, Worker: "w1", Fence: task.Fence, Alive: true,
	})
	if err != nil || !late.Cancelled {
		t.Errorf("a late sign of life was answered with %+v, %v", late, err)
	}
	next := r.one("w2")
	if next.ID != task.ID || next.Fence <= task.Fence || string(next.State) != `{"level":1}` {
		t.Errorf("the next worker got %+v", next)
	}
}

func TestATaskThatIsGivenBackWithItsEndingHasEnded(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	r.leave(r.one("w1"), 1, stage.Outcome{Status: stage.Passed}, "")
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Errorf("an ended task was leased again: %+v", tasks)
	}
	r.want(id, "succeeded")
}

func TestATaskThatAWorkerCannotCarryOutWaitsForAnother(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.leave(task, 0, stage.Outcome{Status: stage.Continue}, "the stage was begun by a newer Fairway")
	if tasks := r.lease("w1"); len(tasks) != 0 {
		t.Errorf("it was leased again at once: %+v", tasks)
	}
	row := r.task(id)
	if !strings.Contains(string(row.Progress), "waiting: the stage was begun by a newer Fairway") {
		t.Errorf("the page shows %s", row.Progress)
	}
	r.pass(6 * time.Second)
	if next := r.one("w2"); next.ID != task.ID {
		t.Errorf("another worker got %+v", next)
	}
}

func TestAServerThatHasEndedGivesNoMoreTasks(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	r.ship(oneStage)
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1"})
	if fault.CodeOf(err) != fault.Unavailable || len(tasks) != 0 {
		t.Errorf("it gave %+v, %v", tasks, err)
	}
}

func (r *rig) task(id string) (row drive.TaskRow) {
	r.t.Helper()
	err := r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
		row, err = tx.LoadTask(id, "production")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return row
}

// goingStore is a store during whose commits a worker goes away.
type goingStore struct {
	drive.Store
	goes func()
}

func (s goingStore) Update(ctx context.Context, f func(drive.Tx) error) error {
	defer s.goes()
	return s.Store.Update(ctx, f)
}

func TestWhatIsLeasedToAWorkerThatHasGoneMeanwhileIsFree(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	ctx, cancel := context.WithCancel(context.Background())
	d := drive.New(drive.Config{Store: goingStore{r.store.Drive(), cancel}, Now: r.clock})
	if tasks, err := d.Lease(ctx, drive.LeaseAsk{Worker: "w1", Max: 10}); err != nil || len(tasks) != 0 || ctx.Err() == nil {
		t.Errorf("it was given %v, %v", tasks, err)
	}
	if task := r.one("w2"); task.Held != "w2" || task.Fence < 2 {
		t.Errorf("the next worker got %+v, want a task that was leased before", task)
	}
}
