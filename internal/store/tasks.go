package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

const taskColumns = `release, entry, environment, id, service, region, stage, undo, state, progress, hold, decision,
	deadline, not_before, holder, fence, lease_until, reported, job, exposed`

const upsertTask = `INSERT INTO tasks (` + taskColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
	ON CONFLICT (release, entry) DO UPDATE SET
	environment = excluded.environment, id = excluded.id, service = excluded.service, region = excluded.region, stage = excluded.stage, undo = excluded.undo,
	state = excluded.state, progress = excluded.progress, hold = excluded.hold, decision = excluded.decision,
	deadline = excluded.deadline, not_before = excluded.not_before, holder = excluded.holder,
	fence = excluded.fence, lease_until = excluded.lease_until, reported = excluded.reported,
	job = excluded.job, exposed = excluded.exposed`

// PutTask inserts the task, or replaces the one of the same release and entry. It is written
// with the commit: see keptTasks.
func (tx *Tx) PutTask(t drive.TaskRow) error { return tx.keepTask(t.Release, t.Entry, &t) }

// writeTask writes what is kept of a task.
func (tx *Tx) writeTask(key taskKey, t *drive.TaskRow) error {
	if t == nil {
		return tx.write(deleteTask, key.release, key.entry)
	}
	return tx.write(upsertTask, t.Release, t.Entry, t.Environment, t.ID, t.Service, t.Region, t.Stage, t.Undo,
		rawText(t.State), rawText(t.Progress), t.Hold, t.Decision,
		nanos(t.Deadline), nanos(t.NotBefore), t.Holder, t.Fence, nanos(t.LeaseUntil), t.Reported, t.Job, t.Exposed)
}

const (
	selectTask       = `SELECT ` + taskColumns + ` FROM tasks WHERE release = $1 AND entry = $2`
	selectTaskAndRun = `SELECT ` + taskColumns + `, ` + runColumns + ` FROM tasks
	JOIN (SELECT release, plan, digest, seq, hash, wake_at, body FROM runs) AS runs USING (release) WHERE release = $1 AND entry = $2`
)

// LoadTask returns the task of the entry, or fault.NotFound. Who changes a task reads its run
// next, so an update reads both at once.
func (tx *Tx) LoadTask(release, entry string) (t drive.TaskRow, err error) {
	if err := errors.Join(tx.turnOf(release), tx.writeTasks()); err != nil {
		return t, err
	}
	var run runRow
	query, into := selectTask, taskInto(&t)
	_, known := tx.ahead[release]
	if tx.writable && !known {
		query, into = selectTaskAndRun, append(into, run.into()...)
	}
	found, err := tx.row(into, query, release, entry)
	if err == nil && found && tx.writable && !known {
		if tx.ahead == nil {
			tx.ahead = map[string]runRow{}
		}
		tx.ahead[release] = run
	}
	if err == nil && !found {
		return t, fault.Errorf(fault.NotFound, "release %s has no task in %s", release, entry)
	}
	return t, err
}

func taskInto(t *drive.TaskRow) []any {
	return []any{&t.Release, &t.Entry, &t.Environment, &t.ID, &t.Service, &t.Region, &t.Stage, &t.Undo,
		rawInto{&t.State}, rawInto{&t.Progress}, &t.Hold, &t.Decision,
		timeInto{&t.Deadline}, timeInto{&t.NotBefore}, &t.Holder, &t.Fence, timeInto{&t.LeaseUntil}, &t.Reported, &t.Job, &t.Exposed}
}

const deleteTask = `DELETE FROM tasks WHERE release = $1 AND entry = $2`

// DeleteTask removes the task if there is one, with the commit as PutTask does.
func (tx *Tx) DeleteTask(release, entry string) error { return tx.keepTask(release, entry, nil) }

const (
	selectLeasableTasks = `SELECT ` + taskColumns + ` FROM tasks WHERE not_before <= $1 AND lease_until <= $1 AND (lease_until <= $2 OR holder = '')`
	// urgentTask is drive.TaskRow.Urgent.
	urgentTask = `(undo OR NOT job AND (exposed OR fence > 0))`
	noJob      = ` AND (undo OR NOT job)`
	// What cannot wait is found before all that waits longer.
	leaseOrder = ` ORDER BY undo DESC, ` + urgentTask + ` DESC, not_before, id LIMIT $%d`
	// A service whose turn is taken is left out, so that leasing never waits.
	joinFreeTurns = ` FROM tasks JOIN turns ON turns.name = tasks.service`
	lockFreeTurns = ` FOR UPDATE SKIP LOCKED`
)

// LeasableTasks returns the wanted tasks that nobody holds or whose lease has run out, and whose
// NotBefore is not after now: first what undoes, then what else is urgent, then the oldest. An update
// takes the turns of their services, and leaves out those that are taken.
func (tx *Tx) LeasableTasks(now time.Time, w drive.Wanted) ([]drive.TaskRow, error) {
	if err := tx.writeTasks(); err != nil {
		return nil, err
	}
	query, args := selectLeasableTasks, []any{nanos(now), nanos(now.Add(-w.Lapsed))}
	query, args = among(query, args, "environment", w.Environments)
	query, args = among(query, args, "region", w.Regions)
	switch {
	case w.OnlyUrgent:
		query += " AND " + urgentTask
	case w.NoJobs:
		query += noJob
	}
	args = append(args, limited(w.Limit))
	query += fmt.Sprintf(leaseOrder, len(args))
	if tx.writable && tx.conn.dialect() == dialectPostgres {
		query = strings.Replace(query, " FROM tasks", joinFreeTurns, 1) + lockFreeTurns
	}
	rows, err := tx.tasks(query, args...)
	if tx.writable {
		for _, t := range rows {
			tx.conn.took(t.Release)
		}
	}
	return rows, err
}

// among restricts the query to rows whose column has one of the names, if there are any.
func among(query string, args []any, column string, names []string) (string, []any) {
	if len(names) == 0 {
		return query, args
	}
	places := make([]string, len(names))
	for i, name := range names {
		args = append(args, name)
		places[i] = fmt.Sprintf("$%d", len(args))
	}
	return query + " AND " + column + " IN (" + strings.Join(places, ", ") + ")", args
}

const selectHeldTasks = `SELECT ` + taskColumns + ` FROM tasks WHERE holder = $1 ORDER BY release, entry`

// HeldTasks returns the tasks whose holder is the worker of that name, also where the lease has run out.
func (tx *Tx) HeldTasks(holder string) ([]drive.TaskRow, error) {
	if err := tx.writeTasks(); err != nil {
		return nil, err
	}
	return tx.tasks(selectHeldTasks, holder)
}

const (
	selectTasksByID = `SELECT id, release, entry, environment, service, region, holder, fence, hold, decision, deadline, lease_until
	FROM tasks WHERE id `
	renewTasks = `UPDATE tasks SET lease_until = $2 WHERE holder = $3 AND id `
	// Rows that are locked are those of a transaction that renews the lease itself, or ends it.
	renewFreeTasks = `UPDATE tasks SET lease_until = $2
	WHERE id = ANY(ARRAY(SELECT id FROM tasks WHERE id = ANY($1) AND holder = $3 FOR UPDATE SKIP LOCKED))`
)

// TasksByID returns those of the tasks that there are, without State, Progress and what else
// says how far they have come.
func (tx *Tx) TasksByID(ids []string) ([]drive.TaskRow, error) {
	in, list, err := tx.oneOf(ids)
	if err := errors.Join(err, tx.writeTasks()); err != nil {
		return nil, err
	}
	var all []drive.TaskRow
	err = tx.rows(func(r rows) error {
		var t drive.TaskRow
		err := r.Scan(&t.ID, &t.Release, &t.Entry, &t.Environment, &t.Service, &t.Region, &t.Holder, &t.Fence, &t.Hold, &t.Decision,
			timeInto{&t.Deadline}, timeInto{&t.LeaseUntil})
		all = append(all, t)
		return err
	}, selectTasksByID+in, list)
	return all, err
}

// Renew prolongs the leases of those of the tasks that the holder has. It takes no turn,
// and leaves out tasks that another transaction is about to change; nobody is told.
func (tx *Tx) Renew(ids []string, holder string, until time.Time) error {
	in, list, err := tx.oneOf(ids)
	if err := errors.Join(err, tx.writeTasks()); err != nil {
		return err
	}
	query := renewTasks + in
	if tx.conn.dialect() == dialectPostgres {
		query = renewFreeTasks
	}
	return tx.writeQuietly(query, list, nanos(until), holder)
}

func (tx *Tx) tasks(query string, args ...any) ([]drive.TaskRow, error) {
	var all []drive.TaskRow
	err := tx.rows(func(r rows) error {
		var t drive.TaskRow
		err := r.Scan(taskInto(&t)...)
		all = append(all, t)
		return err
	}, query, args...)
	return all, err
}
