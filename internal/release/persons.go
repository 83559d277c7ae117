package release

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// persons remembers since when releases wait for a person, as the last look has found it.
type persons struct {
	looking sync.Mutex
	// seen are the releases that go on, as they were read last.
	seen map[string]waiter

	mu      sync.Mutex
	looked  bool
	since   time.Time
	release string
}

// waiter is a release as it was when its last line had the number.
type waiter struct {
	seq   int64
	since time.Time // zero while it waits for no person
}

// PersonWait is for how long the release that waits longest for a person has waited, and
// which it is; nothing where none waits. It tells what LookForPersons has found last, and
// is false before the first look.
func (c *Control) PersonWait() (wait time.Duration, release string, ok bool) {
	p := &c.persons
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.since.IsZero() {
		wait = max(0, c.now().Sub(p.since))
	}
	return wait, p.release, p.looked
}

// LookForPersons looks which release waits longest for a person. The first look reads every
// release that goes on, later ones those that have a new line.
func (c *Control) LookForPersons(ctx context.Context) error {
	p := &c.persons
	p.looking.Lock()
	defer p.looking.Unlock()
	changed, err := p.changed(ctx, c)
	if err != nil {
		return err
	}
	for len(changed) > 0 { // in parts, so that no snapshot is held for long
		n := min(len(changed), personBatch)
		if err := c.view(ctx, func(tx Tx) error { return p.read(tx, changed[:n]) }); err != nil {
			return err
		}
		changed = changed[n:]
	}
	return c.view(ctx, p.settle)
}

// personBatch is how many releases are read in one transaction.
const personBatch = 200

// changed forgets what has ended, and returns what must be read.
func (p *persons) changed(ctx context.Context, c *Control) (ids []string, err error) {
	var going map[string]int64
	err = c.view(ctx, func(tx Tx) error {
		going, err = tx.Going()
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.seen == nil {
		p.seen = map[string]waiter{}
	}
	maps.DeleteFunc(p.seen, func(id string, _ waiter) bool { _, on := going[id]; return !on })
	for id, seq := range going {
		if was, known := p.seen[id]; !known || was.seq != seq {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// read notes since when the releases wait.
func (p *persons) read(tx Tx, ids []string) error {
	for _, id := range ids {
		rec, err := tx.LoadRun(id)
		if fault.CodeOf(err) == fault.Unavailable {
			return err
		}
		if err != nil {
			continue // one that cannot be read is told by the loop that wakes it
		}
		p.seen[id] = waiter{rec.Seq, waitsSince(rec.Run)}
	}
	return nil
}

// settle finds the one that waits longest. A question may be withdrawn without a line, so it
// is read once more.
func (p *persons) settle(tx Tx) error {
	for {
		id, since := p.longest()
		if id != "" {
			if err := p.read(tx, []string{id}); err != nil {
				return err
			}
		}
		if id == "" || p.seen[id].since.Equal(since) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.looked, p.since, p.release = true, since, id
			return nil
		}
	}
}

func (p *persons) longest() (id string, since time.Time) {
	for other, s := range p.seen {
		if !s.since.IsZero() && (id == "" || s.since.Before(since)) {
			id, since = other, s.since
		}
	}
	return id, since
}

// waitsSince is since when a run waits for a person: to approve, to decide, to mend what cannot
// be undone, or to resume. Zero if it does not.
func waitsSince(r pipeline.Run) time.Time {
	if r.Paused != nil {
		return r.Paused.At
	}
	var first time.Time
	for i := range r.Environments {
		if since := entryWaitsSince(&r, i); !since.IsZero() && (first.IsZero() || since.Before(first)) {
			first = since
		}
	}
	return first
}

func entryWaitsSince(r *pipeline.Run, i int) time.Time {
	e := &r.Environments[i]
	if e.Asks != "" { // about others, when its own way may be over
		return cmp.Or(e.AskedAt, e.EndedAt, e.StartedAt)
	}
	if e.Stage >= len(e.Stages) || e.State != pipeline.EnvironmentRunning && e.State != pipeline.EnvironmentRollingBack {
		return time.Time{}
	}
	s := &e.Stages[e.Stage]
	switch {
	case s.Asks != "":
		return cmp.Or(s.AskedAt, s.StartedAt)
	case s.State == pipeline.StageRunning && r.Plan.Environments[i].Stages[e.Stage].Kind == pipeline.KindApproval:
		return s.StartedAt
	}
	return time.Time{}
}
