package main

import (
	"context"
	"fmt"
	"time"
)

// measured is what something cost, and how much of it there was.
type measured struct {
	cost
	seconds float64
	tables  stored
	// What workers said meanwhile: signs of life, reports with samples, and other reports.
	signs, sampled, others float64
}

// during measures what f costs.
func (r *rig) during(ctx context.Context, f func() error) (m measured, err error) {
	rows, err := r.stored(ctx)
	if err != nil {
		return m, err
	}
	before, err := r.counted(ctx)
	if err != nil {
		return m, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return m, err
	}
	m.seconds = time.Since(began).Seconds()
	after, err := r.counted(ctx)
	if err != nil {
		return m, err
	}
	left, err := r.stored(ctx)
	if err != nil {
		return m, err
	}
	tables, kept := left.since(rows)
	m.tables = tables
	m.cost = after.plus(-1, before).plus(1, kept)
	return m, nil
}

// rest is what the server costs with nobody there, and with workers that wait.
func (r *rig) rest(ctx context.Context, u *units, workers int, long time.Duration) error {
	idle, err := r.during(ctx, func() error { return sleep(ctx, long) })
	if err != nil {
		return err
	}
	u.Idle = idle.per(idle.seconds)
	u.Idle.Rows, u.Idle.Bytes = 0, 0
	f, err := r.waiters(ctx, workers)
	if err != nil {
		return err
	}
	defer f.end()
	waiting, err := r.during(ctx, func() error { return sleep(ctx, long) })
	if err != nil {
		return err
	}
	u.Connections = float64(r.workers.open.Load()) / float64(workers)
	u.Waiting = waiting.plus(-waiting.seconds, u.Idle).per(waiting.seconds * float64(workers)).least0()
	u.Waiting.Rows, u.Waiting.Bytes = 0, 0
	return nil
}

// waiters are workers for whom there is nothing to do, ever.
func (r *rig) waiters(ctx context.Context, n int) (*workforce, error) {
	f, err := startFleet(ctx, muster{
		url: r.workersURL(), token: r.token, name: "waits", environment: "nowhere", regions: regionNames(n), parallel: 16,
	})
	if err != nil {
		return nil, err
	}
	return f, sleep(ctx, 2*time.Second) // until all have asked
}

// leastLooks is how many looks of a waiting worker after a commit are more than noise.
const leastLooks = 0.05

// wakes is what it costs each waiting worker that something is committed which frees no task
// for it. The commits are releases that wait for a person.
func (r *rig) wakes(ctx context.Context, u *units, workers, commits int) error {
	if _, err := r.commits(ctx, commits); err != nil { // the first ones fill caches
		return err
	}
	alone, err := r.commits(ctx, commits)
	if err != nil {
		return err
	}
	f, err := r.waiters(ctx, workers)
	if err != nil {
		return err
	}
	watched, err := r.commits(ctx, commits)
	f.end()
	if err != nil {
		return err
	}
	more := watched.cost.plus(-watched.seconds*float64(workers), u.Waiting).plus(-1, alone.cost)
	u.Look = more.per(watched.Updates * float64(workers)).least0()
	u.Look.Rows, u.Look.Bytes, u.Look.Updates = 0, 0, 0
	fmt.Printf("  %.3f looks per commit and waiting worker\n", u.Look.Views)
	if u.Look.Views < leastLooks {
		u.Look = cost{}
	}
	return r.forget()
}

// crowd is how much more a waiting worker's second costs for each task that others have.
func (r *rig) crowd(ctx context.Context, u *units, workers, tasks int, long time.Duration) error {
	if err := r.foreignTasks(ctx, tasks); err != nil {
		return err
	}
	f, err := r.waiters(ctx, workers)
	if err != nil {
		return err
	}
	waiting, err := r.during(ctx, func() error { return sleep(ctx, long) })
	f.end()
	if err != nil {
		return err
	}
	second := waiting.plus(-waiting.seconds, u.Idle).per(waiting.seconds * float64(workers))
	u.LookTask = second.plus(-1, u.Waiting).per(float64(tasks)).least0()
	u.LookTask.Rows, u.LookTask.Bytes, u.LookTask.Views, u.LookTask.Statements = 0, 0, 0, 0
	return r.foreignTasks(ctx, 0)
}

// commits makes some, a few a second so that no two wake the workers as one.
func (r *rig) commits(ctx context.Context, n int) (measured, error) {
	return r.during(ctx, func() error {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for range n {
			<-ticker.C
			text := fmt.Sprintf(waitingDefinition, fmt.Sprint("waiting-", r.made))
			if err := r.createAll(ctx, []string{text}); err != nil {
				return err
			}
		}
		return nil
	})
}

const insertForeign = `INSERT INTO tasks (release, entry, environment, id, service, region, stage, undo, hold, decision, deadline, not_before, holder, fence, lease_until)
	SELECT (SELECT min(id) FROM releases), 'x-' || n, 'production', 'task-' || n, (SELECT min(name) FROM turns), 'region-000', 'canary', false, '', '', 0, n, 'another', 1, 9000000000000000000
	FROM generate_series(1, $1) AS n`

// foreignTasks puts so many tasks there that somebody has.
func (r *rig) foreignTasks(ctx context.Context, n int) error {
	if err := r.db.Exec("fairway", "DELETE FROM tasks WHERE holder = 'another'"); err != nil || n == 0 {
		return err
	}
	var done int
	return r.db.Scan(ctx, r.db.URL("fairway"), &done, "WITH made AS ("+insertForeign+" RETURNING 1) SELECT count(*) FROM made", n)
}

// holds is what tasks cost that are held, without anything to say of them: many of one
// worker, and one of each of many.
func (r *rig) holds(ctx context.Context, u *units, tasks, workers int, long time.Duration) error {
	many, err := r.held(ctx, tasks, 1, long)
	if err != nil {
		return err
	}
	each, err := r.held(ctx, workers, workers, long)
	if err != nil {
		return err
	}
	// Without the workers' waiting, a task of the one has cost t and a worker w:
	// many = tasks·t + w, each = workers·(t + w).
	manySecond := many.plus(-many.seconds, u.Idle).plus(-many.seconds, u.Waiting).per(many.seconds)
	eachSecond := each.plus(-each.seconds, u.Idle).plus(-each.seconds*float64(workers), u.Waiting).per(each.seconds)
	task := manySecond.plus(-1/float64(workers), eachSecond).per(float64(tasks) - 1).least0()
	u.Held = task
	u.Holder = eachSecond.per(float64(workers)).plus(-1, task).least0()
	u.SignsPerSecond = many.signs / many.seconds / float64(tasks)
	for _, c := range []*cost{&u.Held, &u.Holder} {
		c.Rows, c.Bytes = 0, 0
	}
	return nil
}

func (r *rig) held(ctx context.Context, tasks, workers int, long time.Duration) (m measured, err error) {
	regions := regionNames(workers)
	var texts []string
	for i := range tasks / workers {
		texts = append(texts, define(fmt.Sprintf("held-%d-%d", workers, i), regions, time.Minute, interval))
	}
	kinds := newWorld(1, 1).executors()
	for kind := range kinds {
		kinds[kind] = still{}
	}
	who := muster{url: r.workersURL(), token: r.token, name: fmt.Sprint("holds-", workers), environment: "production", parallel: tasks, executors: kinds}
	if workers > 1 {
		who.regions = regions
	}
	f, err := startFleet(ctx, who)
	if err != nil {
		return m, err
	}
	if err := r.createAll(ctx, texts); err != nil {
		f.end()
		return m, err
	}
	if err := r.leased(ctx, tasks); err != nil {
		f.end()
		return m, err
	}
	if err := sleep(ctx, 3*time.Second); err != nil {
		return m, err
	}
	var signs int64
	m, err = r.during(ctx, func() error {
		before := f.counted.signs.Load()
		defer func() { signs = f.counted.signs.Load() - before }()
		return sleep(ctx, long)
	})
	m.signs = float64(signs)
	f.end()
	if err != nil {
		return m, err
	}
	return m, r.forget()
}

// leased waits until workers have all the tasks.
func (r *rig) leased(ctx context.Context, tasks int) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var n int
		err := r.db.Scan(ctx, r.db.URL("fairway"), &n, "SELECT count(*) AS bench_leased FROM tasks WHERE holder <> ''")
		if err != nil || n >= tasks {
			return err
		}
	}
	return fmt.Errorf("workers did not lease %d tasks within a minute", tasks)
}

// forget takes away what is under way, so that nobody goes on with it.
func (r *rig) forget() error {
	for _, statement := range []string{
		"DELETE FROM tasks", "DELETE FROM lanes",
		"UPDATE runs SET state = 'cancelled', ended_at = 1, wake_at = 0 WHERE ended_at = 0",
	} {
		if err := r.db.Exec("fairway", statement); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
