package store

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

const countRuns = `SELECT state, count(*) FROM runs WHERE ended_at = 0 GROUP BY state`

// CountReleases counts the releases that are not final, by state.
func (tx *Tx) CountReleases() (map[pipeline.RunState]int, error) {
	all := map[pipeline.RunState]int{}
	err := tx.rows(func(r rows) error {
		var state string
		var n int
		err := r.Scan(&state, &n)
		all[pipeline.RunState(state)] = n
		return err
	}, countRuns)
	return all, err
}

const countTasks = `SELECT environment,
	count(*) FILTER (WHERE lease_until > $1),
	count(*) FILTER (WHERE lease_until <= $1 AND not_before <= $1),
	count(*) FILTER (WHERE lease_until <= $1 AND not_before > $1),
	coalesce(min(lease_until) FILTER (WHERE lease_until > $1), 0),
	coalesce(min(CASE WHEN lease_until > not_before THEN lease_until ELSE not_before END)
		FILTER (WHERE lease_until <= $1 AND not_before <= $1), 0)
	FROM tasks GROUP BY environment`

// CountTasks counts the tasks of each environment as they are now.
func (tx *Tx) CountTasks(now time.Time) (map[string]release.TaskFigures, error) {
	all := map[string]release.TaskFigures{}
	if err := tx.writeTasks(); err != nil {
		return nil, err
	}
	err := tx.rows(func(r rows) error {
		var environment string
		var f release.TaskFigures
		var ends, free time.Time
		if err := r.Scan(&environment, &f.Leased, &f.Waiting, &f.Later, timeInto{&ends}, timeInto{&free}); err != nil {
			return err
		}
		if f.Leased > 0 {
			f.LeaseLeft = ends.Sub(now)
		}
		if f.Waiting > 0 {
			f.WaitingFor = now.Sub(free)
		}
		all[environment] = f
		return nil
	}, countTasks, nanos(now))
	return all, err
}

const countMessages = `SELECT count(*), coalesce(min(id), '') FROM outbox`

// CountMessages counts the messages that wait, and tells when the oldest was written: its
// ID begins with that. Zero where there is none.
func (tx *Tx) CountMessages() (n int, oldest time.Time, err error) {
	var first string
	if _, err := tx.row([]any{&n, &first}, countMessages); err != nil {
		return 0, time.Time{}, err
	}
	if id, err := ulid.Parse(first); err == nil {
		oldest = ulid.Time(id.Time())
	}
	return n, oldest, nil
}

const selectGoing = `SELECT release, seq FROM runs WHERE ended_at = 0`

// Going returns the releases that are not final, with the number of the last line of each.
func (tx *Tx) Going() (map[string]int64, error) {
	all := map[string]int64{}
	err := tx.rows(func(r rows) error {
		var id string
		var seq int64
		err := r.Scan(&id, &seq)
		all[id] = seq
		return err
	}, selectGoing)
	return all, err
}
