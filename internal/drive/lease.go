package drive

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Lease gives the worker tasks that nobody else holds, each with a fence greater
// than every one its target had before. It waits a while for the first.
func (d *Drive) Lease(ctx context.Context, ask LeaseAsk) ([]stage.Task, error) {
	if ask.Worker == "" {
		return nil, fault.Errorf(fault.Invalid, "a worker needs a name")
	}
	ask.Max = min(max(ask.Max, 1), mostTasks)
	if d.drained() {
		return nil, fault.Errorf(fault.Unavailable, "the server is stopping and gives no more tasks").
			WithHint("ask again: another server, or this one when it is back, gives them")
	}
	end := time.NewTimer(min(max(ask.Wait, 0), 30*time.Second))
	defer end.Stop()
	freed, stop := d.wishes.wait(ask)
	defer stop()
	if ask.Resume {
		if err := d.giveBack(ctx, ask); err != nil {
			return nil, err
		}
	}
	told := false // that something became free for the wish
	for tries := 0; ; {
		tasks, busy, err := d.lease(ctx, ask, told)
		if err == nil && len(tasks) > 0 && ctx.Err() != nil {
			return nil, d.takeBack(context.WithoutCancel(ctx), tasks)
		}
		if err != nil || len(tasks) > 0 {
			return tasks, err
		}
		wait := leaseInterval
		if busy { // whoever has the turn may have stopped in its middle
			wait = min(lookInterval<<min(tries, 10), leaseInterval)
			wait = wait/2 + rand.N(wait)
			tries++
		} else {
			tries = 0
		}
		look := time.NewTimer(wait)
		told = false
		select {
		case <-ctx.Done():
			look.Stop()
			return nil, nil
		case <-d.stopped:
			look.Stop()
			return nil, nil
		case <-end.C:
			look.Stop()
			return nil, nil
		case <-freed:
			told = true
			pause(ctx, lookInterval)
			if ask.Full { // who has a place goes first
				pause(ctx, fullPause)
			}
		case <-look.C:
		}
		look.Stop()
	}
}

// takeBack ends leases of which their worker has not heard: it went away while they were
// given, as one does that stops.
func (d *Drive) takeBack(ctx context.Context, tasks []stage.Task) error {
	fences := map[string]int64{}
	for _, task := range tasks {
		fences[task.ID] = task.Fence
	}
	unheard := func(tx Tx) ([]TaskRow, error) {
		rows, err := tx.HeldTasks(tasks[0].Held)
		return slices.DeleteFunc(rows, func(row TaskRow) bool { return fences[row.ID] != row.Fence }), err
	}
	return d.eachTask(ctx, unheard, func(t *transition, row TaskRow) error {
		if fences[row.ID] != row.Fence {
			return nil
		}
		row.Holder, row.LeaseUntil = "", t.now
		return t.putTask(row)
	})
}

// unreadableWait is how long a task that cannot be read is left alone.
const unreadableWait = time.Minute

// leaseInterval is how often a waiting worker looks for leases that ran out.
const leaseInterval = time.Second

const (
	// fullPause is how much later a worker without a place looks when it is told of something.
	fullPause = 5 * lookInterval
	// fullLag is how much longer a lease must have run out before such a worker takes the task:
	// nobody is told of that, and until then all who have a place have looked.
	fullLag = leaseInterval + fullPause
)

// lease gives what is free now. busy says that there was something of which another
// transaction had the turn.
func (d *Drive) lease(ctx context.Context, ask LeaseAsk, told bool) (tasks []stage.Task, busy bool, err error) {
	// A look without the writer's lock first: most looks find nothing.
	found := false
	err = d.store.View(ctx, func(tx Tx) error {
		rows, err := tx.LeasableTasks(d.now(), wantedBy(ask, 1, told))
		found = len(given(rows, ask)) > 0
		return err
	})
	if err != nil || !found {
		return nil, false, err
	}
	err = d.update(ctx, func(t *transition) error {
		tasks = nil
		rows, err := t.tx.LeasableTasks(t.now, wantedBy(ask, ask.Max, told))
		if err != nil {
			return err
		}
		for _, row := range given(rows, ask) {
			task, err := t.leaseTask(row, ask.Worker, d.leaseFor)
			if fault.CodeOf(err) == fault.Unavailable {
				return err // it is the store's trouble, not the task's
			}
			if err != nil {
				// One release that cannot be read must not hold up all others.
				d.log.Error("A task cannot be leased.", "release", row.Release, "environment", row.Entry, "task", row.ID, "error", err)
				row.NotBefore = t.now.Add(unreadableWait)
				if err := t.tx.PutTask(row); err != nil {
					return err
				}
				continue
			}
			tasks = append(tasks, task)
		}
		return nil
	})
	return tasks, len(tasks) == 0, err
}

// giveBack ends the leases of a worker that has just started again: who it was
// before is gone, so its tasks need not wait for their leases to run out.
func (d *Drive) giveBack(ctx context.Context, ask LeaseAsk) error {
	// Another worker may have the name by mistake: what this one may not have is not its own.
	asked := func(row TaskRow) bool { return row.place().within(ask.Environments, ask.Regions) }
	return d.eachTask(ctx, func(tx Tx) ([]TaskRow, error) { return tx.HeldTasks(ask.Worker) }, func(t *transition, row TaskRow) error {
		if row.Holder != ask.Worker || slices.Contains(ask.Holding, row.ID) || !asked(row) {
			return nil
		}
		row.Holder, row.LeaseUntil = "", t.now
		return t.putTask(row)
	})
}

// place is where the task is carried out.
func (row TaskRow) place() Place { return Place{Environment: row.Environment, Region: row.Region} }

// taskBatch is how many tasks are changed in one transaction.
const taskBatch = 100

// eachTask finds tasks in a view and gives each to change as it then is, many of them in
// one transaction.
func (d *Drive) eachTask(ctx context.Context, find func(Tx) ([]TaskRow, error), change func(*transition, TaskRow) error) error {
	var rows []TaskRow
	err := d.store.View(ctx, func(tx Tx) (err error) {
		rows, err = find(tx)
		return err
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(rows, taskBatch) {
		services := make([]string, len(some))
		for i, row := range some {
			services[i] = row.Service
		}
		err := d.update(ctx, func(t *transition) error {
			if err := t.tx.Turn(services...); err != nil {
				return err
			}
			for _, row := range some {
				now, err := t.tx.LoadTask(row.Release, row.Entry)
				switch {
				case fault.CodeOf(err) == fault.NotFound:
					continue
				case err != nil:
					return err
				}
				if err := change(t, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// giveNext leases what follows the task that the report has ended, in the same entry, to the
// same worker. It knows the target, and nothing waits for the next wish for tasks.
func (t *transition) giveNext(rep Report, leaseFor time.Duration, reply *Reply) error {
	row, ok := t.put[[2]string{rep.Release, entryOf(rep)}]
	if !ok || row.Holder != "" || row.NotBefore.After(t.now) {
		return nil
	}
	next, err := t.leaseTask(row, rep.Worker, leaseFor)
	switch {
	case fault.CodeOf(err) == fault.Unavailable:
		return err // it is the store's trouble, not the task's
	case err == nil:
		reply.Next = &next
	}
	return nil // whoever leases it will tell what is wrong with it
}

// followed tells whether the task was given with the answer to the report, and that answer
// was lost: nobody has had a lease since, nor told anything under it.
func (row TaskRow) followed(rep Report) bool {
	return rep.Next && row.ID != rep.Task && row.Holder == rep.Worker && row.Fence == rep.Fence+1 && row.Reported == 0 && row.where(rep)
}

// giveAgain gives the same lease once more.
func (t *transition) giveAgain(row TaskRow, leaseFor time.Duration, reply *Reply) (err error) {
	row.LeaseUntil = t.now.Add(leaseFor)
	if reply.Next, err = t.complete(row); err != nil {
		return err
	}
	return t.putTask(row)
}

func (t *transition) leaseTask(row TaskRow, worker string, leaseFor time.Duration) (stage.Task, error) {
	target := platform.Target{Service: row.Service, Environment: row.Environment, Region: row.Region}
	fence, err := t.tx.NextFence(target.String())
	if err != nil {
		return stage.Task{}, err
	}
	row.Holder, row.Fence, row.LeaseUntil, row.Reported = worker, fence, t.now.Add(leaseFor), 0
	task, err := t.complete(row)
	if err != nil {
		return stage.Task{}, err
	}
	row.Job = task.Stage.RunsCommand()
	return *task, t.putTask(row)
}

// complete adds to the task what the plan says of it, what the stages before it left, and
// what earlier releases teach it.
func (t *transition) complete(row TaskRow) (*stage.Task, error) {
	rec, err := t.loadRun(row.Release)
	if err != nil {
		return nil, err
	}
	task, err := taskOf(rec, row)
	if err != nil {
		return nil, err
	}
	if task.Learns() {
		if task.Experience, err = t.experience(rec, row); err != nil {
			return nil, err
		}
	}
	return &task, nil
}
