package store

import "github.com/fairwayhq/fairway/internal/drive"

// keptTasks are the tasks that a transaction has changed and not written yet. A report that
// ends a task deletes its row, begins the next one in the same row, and leases that: three
// statements, of which the database need see but the last. They are written before anything
// reads tasks, and at the end.
type keptTasks struct {
	changed map[taskKey]*drive.TaskRow // nil where it was deleted
	order   []taskKey
	// free are the places of tasks that were written and that nobody holds.
	free map[taskKey]drive.Place
}

type taskKey struct{ release, entry string }

func (tx *Tx) keepTask(release, entry string, t *drive.TaskRow) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if tx.kept.changed == nil {
		tx.kept.changed = map[taskKey]*drive.TaskRow{}
	}
	key := taskKey{release, entry}
	if _, kept := tx.kept.changed[key]; !kept {
		tx.kept.order = append(tx.kept.order, key)
	}
	tx.kept.changed[key] = t
	return nil
}

// writeTasks writes what is kept, in the order in which the tasks were changed first.
func (tx *Tx) writeTasks() error {
	changed, order := tx.kept.changed, tx.kept.order
	tx.kept.changed, tx.kept.order = nil, nil
	for _, key := range order {
		tx.note(key, changed[key])
		if err := tx.writeTask(key, changed[key]); err != nil {
			return err
		}
	}
	return nil
}

// note keeps in mind whether the task waits for a worker.
func (tx *Tx) note(key taskKey, t *drive.TaskRow) {
	delete(tx.kept.free, key)
	if t == nil || t.Holder != "" {
		return
	}
	if tx.kept.free == nil {
		tx.kept.free = map[taskKey]drive.Place{}
	}
	tx.kept.free[key] = drive.Place{Environment: t.Environment, Region: t.Region, Urgent: t.Urgent()}
}
