package drive

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// transition is one transaction's work: the events applied in it and what they
// led to, also in other releases of the same lane.
type transition struct {
	tx    Tx
	now   time.Time
	clock func() time.Time // nil in a transaction of somebody else's
	lines []ledger.Event
	// applied are the events that runs were given.
	applied []pipeline.EventKind
	// wakes says that the loop of Run must look again after the commit.
	wakes bool
	// cancelled are the tasks that were cancelled, by release and entry, and put those that
	// were begun or changed.
	cancelled, put map[[2]string]TaskRow
	// saved are the runs that were changed, as they are stored now.
	saved map[string]Record
	// freezes are read once: who has read them keeps others from changing them.
	freezes     []Freeze
	freezesRead bool
}

// loadRun is the run as this transaction has left it: who has the turn of its service need
// not read again what it wrote.
func (t *transition) loadRun(release string) (Record, error) {
	if rec, ok := t.saved[release]; ok {
		return rec, nil
	}
	return t.tx.LoadRun(release)
}

func (t *transition) saveRun(rec Record, wake time.Time) error {
	if t.saved == nil {
		t.saved = map[string]Record{}
	}
	rec.Wake = wake
	t.saved[rec.Release] = rec
	return t.tx.SaveRun(rec, wake)
}

// free are the places where it has left tasks that nobody holds.
func (t *transition) free() []Place {
	var all []Place
	for _, row := range t.put {
		place := row.place()
		place.Urgent = row.Urgent()
		if row.Holder == "" && !slices.Contains(all, place) {
			all = append(all, place)
		}
	}
	return all
}

func (t *transition) putTask(row TaskRow) error {
	if t.put == nil {
		t.put = map[[2]string]TaskRow{}
	}
	t.put[[2]string{row.Release, row.Entry}] = row
	return t.tx.PutTask(row)
}

// turned is called once the turn of the service is taken, for which others may have been
// waited: time must not run backwards for its releases.
func (t *transition) turned() {
	if t.clock != nil {
		t.now = t.clock()
	}
}

// apply loads the run, applies the event, and carries out what follows.
func (t *transition) apply(release string, ev pipeline.Event) error {
	rec, err := t.loadRun(release)
	if err != nil {
		return err
	}
	t.turned()
	return t.step(rec, ev)
}

// step applies the event to a run already loaded.
func (t *transition) step(rec Record, ev pipeline.Event) error {
	if err := t.fillDoing(&rec.Run, rec.Release); err != nil {
		return err
	}
	if err := t.fillDrift(&rec.Run); err != nil {
		return err
	}
	run, commands, err := pipeline.Next(rec.Run, ev, t.now)
	if err != nil {
		return err
	}
	rec.Run = run
	t.applied = append(t.applied, ev.Kind)
	var lines []ledger.Event
	var wake time.Time
	for _, c := range commands {
		switch c.Kind {
		case pipeline.CommandRecord:
			lines = append(lines, line(rec.Release, c, t.now))
		case pipeline.CommandWake:
			wake = c.At
		}
	}
	if err := t.append(&rec, lines); err != nil {
		return err
	}
	if err := t.saveRun(rec, wake); err != nil {
		return err
	}
	// Otherwise it looks in time by itself.
	t.wakes = t.wakes || !wake.IsZero() && wake.Before(t.now.Add(beatInterval))
	return t.carry(rec, commands)
}

// append chains the lines to the record's head and writes them.
func (t *transition) append(rec *Record, lines []ledger.Event) error {
	if len(lines) == 0 {
		return nil
	}
	head := ledger.Head{Seq: rec.Seq, Hash: rec.Hash}
	lines, head, err := ledger.Append(head, lines...)
	if err != nil {
		return err
	}
	rec.Seq, rec.Hash = head.Seq, head.Hash
	t.lines = append(t.lines, lines...)
	return t.tx.AppendEvents(lines)
}

func line(release string, c pipeline.Command, now time.Time) ledger.Event {
	return ledger.Event{
		Release: release, At: now, Kind: c.Line, Actor: c.Actor,
		Environment: c.Environment, Stage: c.Stage, Text: c.Text, Data: c.Data,
	}
}

// carry does what Next asked for, once the run is saved.
func (t *transition) carry(rec Record, commands []pipeline.Command) error {
	for _, c := range commands {
		var err error
		switch c.Kind {
		case pipeline.CommandAcquireLane:
			err = t.acquireLane(rec, c)
		case pipeline.CommandReleaseLane:
			err = t.releaseLane(rec, c)
		case pipeline.CommandNoteHome:
			err = t.noteHome(rec, c.Environment)
		case pipeline.CommandStartTask:
			err = t.startTask(rec, c)
		case pipeline.CommandCancelTask:
			err = t.cancelTask(rec, c)
		case pipeline.CommandHoldTask:
			err = t.changeTask(rec.Release, c.Environment, func(row *TaskRow) { row.Hold, row.Deadline = c.Text, c.At })
		case pipeline.CommandDecide:
			err = t.changeTask(rec.Release, c.Environment, func(row *TaskRow) { row.Decision = c.Text })
		case pipeline.CommandNotify:
			err = t.notify(rec, c)
		case pipeline.CommandAddEvidence:
			e := *c.Evidence
			e.ID = newID(t.now)
			err = t.tx.AddEvidence(e)
			clear(t.saved) // runs of the artifact have it from now on
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *transition) startTask(rec Record, c pipeline.Command) error {
	env := rec.Run.Plan.Environment(c.Environment)
	row := TaskRow{
		ID: newID(t.now), Release: rec.Release, Service: rec.Run.Plan.ServiceOf(env), Entry: env.Name,
		Environment: env.In(), Region: env.Region, Stage: c.Stage, Undo: c.Undo,
		Deadline: c.At, NotBefore: t.now, Job: env.RunsCommand(c.Stage), Exposed: rec.Run.Environment(env.Name).Exposed(),
	}
	if was := t.cancelled[[2]string{row.Release, row.Entry}]; c.Undo && was.Stage == c.Stage {
		row.State = was.State
	}
	return t.putTask(row)
}

// cancelTask ends a task in its middle. What its executor remembered goes on into
// the undoing of the same stage, which follows in the same transaction.
func (t *transition) cancelTask(rec Record, c pipeline.Command) error {
	row, err := t.tx.LoadTask(rec.Release, c.Environment)
	if err != nil {
		return ignoreConflict(err)
	}
	if t.cancelled == nil {
		t.cancelled = map[[2]string]TaskRow{}
	}
	key := [2]string{row.Release, row.Entry}
	t.cancelled[key] = row
	delete(t.put, key)
	return t.tx.DeleteTask(rec.Release, c.Environment)
}

// changeTask changes the environment's task, if it still has one.
func (t *transition) changeTask(release, environment string, change func(*TaskRow)) error {
	row, err := t.tx.LoadTask(release, environment)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	change(&row)
	return t.putTask(row)
}

// notification is the body of a webhook message.
type notification struct {
	Release     string    `json:"release"`
	Service     string    `json:"service"`
	Version     string    `json:"version,omitempty"`
	Environment string    `json:"environment"`
	Stage       string    `json:"stage"`
	State       string    `json:"state"`
	Text        string    `json:"text"`
	At          time.Time `json:"at"`
}

func (t *transition) notify(rec Record, c pipeline.Command) error {
	p := rec.Run.Plan
	env := p.Environment(c.Environment)
	of := &p.Component
	for i := range env.Stages { // the run has gone on to the next one
		if env.Stages[i].Name == c.Stage {
			of = p.ComponentAt(env, &env.Stages[i])
		}
	}
	text := c.Text
	if text == "" {
		text = of.Service + " " + of.Version + " reached stage " + c.Stage + " in " + c.Environment
	}
	body, err := json.Marshal(notification{
		Release: rec.Release, Service: of.Service, Version: of.Version,
		Environment: c.Environment, Stage: c.Stage, State: string(rec.Run.State), Text: text, At: t.now,
	})
	if err != nil {
		return err
	}
	return t.tx.PutMessage(Message{ID: newID(t.now), Release: rec.Release, Webhook: c.Webhook, Body: body, NotBefore: t.now})
}

func newID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}

// ignoreConflict forgives an event that came too late to matter.
func ignoreConflict(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && (f.Code == fault.Conflict || f.Code == fault.NotFound) {
		return nil
	}
	return err
}
