package release

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Figures are how much is going on, and how long what waits has waited.
type Figures struct {
	// Releases counts those that go on, by state.
	Releases map[pipeline.RunState]int
	// Tasks are the stages that workers carry out, or that wait for one, by environment.
	Tasks map[string]TaskFigures
	// Outbox counts the messages that wait; OutboxAge is how long the oldest has.
	Outbox    int
	OutboxAge time.Duration
	// DueLag is by how much the wake-up that is due longest is late.
	DueLag time.Duration
	// Lines counts those that this server has added to the ledger since it started.
	Lines int64
}

// TaskFigures are the tasks of an environment.
type TaskFigures struct {
	// Leased have a worker; Waiting could have one now; Later may not be leased yet.
	Leased, Waiting, Later int
	// WaitingFor is how long the task has waited that waits longest.
	WaitingFor time.Duration
	// LeaseLeft is what is left of the lease that runs out first; 0 where there is none.
	LeaseLeft time.Duration
}

// manyRows is where counting stops.
const manyRows = 100_000

// Figures counts what goes on now.
func (c *Control) Figures(ctx context.Context) (Figures, error) {
	now := c.now()
	f := Figures{Lines: c.drive.Lines(), Releases: map[pipeline.RunState]int{}, Tasks: map[string]TaskFigures{}}
	// Everything that waits is due in the far future.
	someday := now.Add(100 * 365 * 24 * time.Hour)
	err := c.view(ctx, func(tx Tx) error {
		for _, state := range []pipeline.RunState{pipeline.RunPending, pipeline.RunRunning, pipeline.RunRollingBack} {
			list, err := tx.ListReleases(Filter{State: state, Limit: manyRows})
			if err != nil {
				return err
			}
			f.Releases[state] = len(list)
		}
		tasks, err := tx.LeasableTasks(someday, nil, nil, manyRows)
		if err != nil {
			return err
		}
		for _, task := range tasks {
			f.Tasks[task.Environment] = f.Tasks[task.Environment].with(task, now)
		}
		messages, err := tx.DueMessages(someday, manyRows)
		if err != nil {
			return err
		}
		f.Outbox, f.OutboxAge = len(messages), oldest(messages, now)
		wake, err := tx.NextWake(time.Time{})
		if err != nil {
			return err
		}
		if !wake.IsZero() {
			f.DueLag = max(0, now.Sub(wake))
		}
		return nil
	})
	return f, err
}

// with counts one task more.
func (f TaskFigures) with(task drive.TaskRow, now time.Time) TaskFigures {
	switch {
	case task.LeaseUntil.After(now):
		f.Leased++
		if left := task.LeaseUntil.Sub(now); f.LeaseLeft == 0 || left < f.LeaseLeft {
			f.LeaseLeft = left
		}
	case task.NotBefore.After(now):
		f.Later++
	default:
		f.Waiting++
		free := task.NotBefore
		if task.LeaseUntil.After(free) {
			free = task.LeaseUntil
		}
		f.WaitingFor = max(f.WaitingFor, now.Sub(free))
	}
	return f
}

// oldest is the age of the oldest message: its ID begins with when it was written.
func oldest(messages []drive.Message, now time.Time) (age time.Duration) {
	for _, m := range messages {
		if id, err := ulid.Parse(m.ID); err == nil {
			age = max(age, now.Sub(ulid.Time(id.Time())))
		}
	}
	return age
}

// PersonWait is for how long the release that waits longest for a person has waited, and which it
// is; nothing where none waits. It reads every release that goes on.
func (c *Control) PersonWait(ctx context.Context) (wait time.Duration, release string, err error) {
	now := c.now()
	err = c.view(ctx, func(tx Tx) error {
		going, err := tx.Unfinished()
		if err != nil {
			return err
		}
		for _, id := range going {
			rec, err := tx.LoadRun(id)
			if err != nil {
				continue // one that cannot be read is told by the loop that wakes it
			}
			if since := waitsSince(rec.Run); !since.IsZero() && now.Sub(since) > wait {
				wait, release = now.Sub(since), id
			}
		}
		return nil
	})
	return wait, release, err
}

// waitsSince is since when a run waits for a person: to approve, to decide, to mend what cannot
// be undone, or to resume. Zero if it does not.
func waitsSince(r pipeline.Run) time.Time {
	if r.Paused != nil {
		return r.Paused.At
	}
	for i, e := range r.Environments {
		if e.Stage >= len(e.Stages) || e.State != pipeline.EnvironmentRunning && e.State != pipeline.EnvironmentRollingBack {
			continue
		}
		s := e.Stages[e.Stage]
		switch {
		case s.Asks != "" && !s.AskedAt.IsZero():
			return s.AskedAt
		case s.Asks != "":
			return s.StartedAt
		case s.State == pipeline.StageRunning && r.Plan.Environments[i].Stages[e.Stage].Kind == pipeline.KindApproval:
			return s.StartedAt
		}
	}
	return time.Time{}
}

// LastLine returns the store-wide number of the ledger's last line; 0 if it is empty.
func (c *Control) LastLine(ctx context.Context) (int64, error) {
	var last int64
	err := c.view(ctx, func(tx Tx) error {
		var err error
		last, err = tx.LastNumber()
		return err
	})
	return last, err
}

// Ready returns an error if the store does not answer.
func (c *Control) Ready(ctx context.Context) error {
	return c.view(ctx, func(tx Tx) error {
		_, err := tx.ListReleases(Filter{Limit: 1})
		return err
	})
}
