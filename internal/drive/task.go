package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// What workers and drive say to each other; the words belong to package stage.
type (
	LeaseAsk = stage.LeaseAsk
	Report   = stage.Report
	Reply    = stage.Reply
)

// taskOf makes the task complete: what the plan says of it, and what the stages
// before it left. A fault.Internal says that the plan has no such entry.
func taskOf(rec Record, row TaskRow) (stage.Task, error) {
	plan := rec.Run.Plan
	env := plan.Environment(row.Entry)
	if env == nil {
		return stage.Task{}, fault.Errorf(fault.Internal, "the plan of release %s has no entry %q", row.Release, row.Entry)
	}
	task := stage.Task{
		ID: row.ID, Release: row.Release, Service: row.Service, Entry: row.Entry, Environment: row.Environment, Region: row.Region,
		Undo: row.Undo, Platform: env.Platform, Settings: env.Settings, Metrics: env.Metrics, Git: env.Git, OnUndecided: env.OnUndecided,
		Revision: RevisionOf(plan, env), State: row.State, Hold: row.Hold, Decision: row.Decision, Deadline: row.Deadline,
		ExpectedRate: plan.Rate(env), Drill: plan.Drill,
		Fence: row.Fence, Held: row.Holder, LeaseUntil: row.LeaseUntil,
		Memories: map[string]json.RawMessage{},
	}
	run := rec.Run.Environment(row.Entry)
	for i, s := range env.Stages {
		if s.Name == row.Stage {
			task.Stage = s
		}
		if m := run.Stages[i].Memory; m != nil {
			task.Memories[s.Name] = m
		}
	}
	task.FalseAlarm = env.FalseAlarm(task.Stage.Kind)
	return task, nil
}

// RevisionOf is what a plan places in an environment.
func RevisionOf(plan *pipeline.Plan, env *pipeline.Environment) platform.Revision {
	c := plan.ComponentOf(env)
	r := platform.Revision{
		ID: plan.Revision(env), Version: c.Version,
		Artifact: platform.Artifact{Ref: c.Artifact, Digest: c.Digest},
		Settings: env.Settings, Sealed: env.Sealed,
		Config: platform.Config{Env: map[string]string{}, Secrets: map[string]string{}},
	}
	if d := plan.Drill; d != nil && d.Harm != nil {
		r.Fault = &platform.Fault{Errors: d.Harm.Errors, Delay: d.Harm.Delay.Std(), Slower: d.Harm.Slower, Until: d.Until}
	}
	for _, config := range []pipeline.Config{c.Config, env.Config} {
		for k, v := range config.Env {
			r.Config.Env[k] = v
		}
		for k, v := range config.Secrets {
			r.Config.Secrets[k] = v
		}
		for _, f := range config.Files {
			r.Config.Files = append(r.Config.Files, platform.File{Path: f.Path, Content: f.Content})
		}
	}
	return r
}

// Report takes in what a worker says after a tick, and renews its lease. A report
// with an old fence changes nothing and is answered with Cancelled; one that was
// taken in before only renews the lease.
func (d *Drive) Report(ctx context.Context, rep Report) (Reply, error) {
	if reply, known, err := d.stillHeld(ctx, rep); known || err != nil {
		return reply, err
	}
	var reply Reply
	err := d.update(ctx, func(t *transition) error {
		reply = Reply{}
		row, err := t.tx.LoadTask(rep.Release, entryOf(rep))
		t.turned()
		if fault.CodeOf(err) == fault.NotFound || err == nil && !row.heldBy(rep) {
			reply.Cancelled = true
			if err == nil && row.followed(rep) {
				if err := t.giveAgain(row, d.leaseFor, &reply); err != nil {
					return err
				}
			}
			return t.late(rep)
		}
		if err != nil {
			return err
		}
		switch {
		case rep.Seen > 0:
			reply.Cancelled = true
			return t.fenced(row, rep.Seen)
		case rep.Left:
			return t.left(row, rep, d.leaseFor, &reply)
		case rep.Alive, rep.Number > 0 && rep.Number <= row.Reported:
			return t.renew(row, d.leaseFor, &reply)
		}
		out := rep.Outcome // the report stays as it came: this may run again
		if rep.Part {
			if out.State, err = stage.WithPart(row.State, out.State); err != nil {
				return err
			}
		}
		row.Reported = rep.Number
		if err := t.report(row, out, d.leaseFor, &reply); err != nil {
			return err
		}
		if rep.Next && out.Status != stage.Continue && !d.drained() {
			return t.giveNext(rep, d.leaseFor, &reply)
		}
		return nil
	})
	return reply, err
}

// stillHeld answers a sign of life without writing anything, as long as much of the lease
// is left.
func (d *Drive) stillHeld(ctx context.Context, rep Report) (reply Reply, known bool, err error) {
	if !rep.Alive {
		return reply, false, nil
	}
	err = d.store.View(ctx, func(tx Tx) error {
		row, err := tx.LoadTask(rep.Release, entryOf(rep))
		if err == nil && row.heldBy(rep) && row.LeaseUntil.Sub(d.now()) > d.leaseFor*3/4 {
			reply, known = replyOf(row), true
		}
		return ignoreConflict(err)
	})
	return reply, known, err
}

func replyOf(row TaskRow) Reply {
	return Reply{Hold: row.Hold, Decision: row.Decision, Deadline: row.Deadline, LeaseUntil: row.LeaseUntil}
}

// heldBy tells whether the report comes from who holds the task now.
func (row TaskRow) heldBy(rep Report) bool {
	return row.ID == rep.Task && row.Fence == rep.Fence && row.Holder == rep.Worker && row.where(rep)
}

// where tells whether the report is about where the task is. Environment and region are what
// the worker's token was checked for; an older worker does not say the region.
func (row TaskRow) where(rep Report) bool {
	return row.Environment == rep.Environment && (rep.Region == "" || rep.Region == row.Region)
}

// fenced takes back a task whose target refused the fence. A target that has seen
// more than this server ever gave has been led by another one: the database was
// restored from a backup. The next lease then gets a fence that counts.
func (t *transition) fenced(row TaskRow, seen int64) error {
	if seen > mostFence {
		return fault.Errorf(fault.Invalid, "fence %d of %s is greater than any that can be given", seen, row.Environment)
	}
	// Not at once: two servers over one target would chase each other.
	free := row
	free.Holder, free.LeaseUntil, free.NotBefore = "", t.now, t.now.Add(fencedWait)
	if err := t.putTask(free); err != nil || seen <= row.Fence {
		return err
	}
	target := platform.Target{Service: row.Service, Environment: row.Environment, Region: row.Region}
	if err := t.tx.RaiseFence(target.String(), seen); err != nil {
		return err
	}
	rec, err := t.loadRun(row.Release)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s has obeyed fence %d, and this server had given only %d: was its database restored, or does another server lead there? The task is leased again with a greater one.", target, seen, row.Fence)
	if err := t.appendLines(&rec, row, []stage.Line{{Kind: "task.fenced", Text: text}}); err != nil {
		return err
	}
	return t.saveRun(rec, rec.Wake)
}

// fencedWait is how long a task waits that a target has refused.
const fencedWait = 5 * time.Second

// mostFence leaves room for as many leases as a target can ever have.
const mostFence = 1 << 53

func (t *transition) report(row TaskRow, out stage.Outcome, leaseFor time.Duration, reply *Reply) error {
	if len(out.Points) > 0 {
		if err := t.tx.AppendPoints(row.Release, row.Entry, row.Stage, out.Points); err != nil {
			return err
		}
	}
	if out.Status != stage.Continue {
		return t.finish(row, out, reply)
	}
	if err := t.tell(row, out); err != nil {
		return err
	}
	// What the report led to may have changed the task, or ended it.
	now, err := t.tx.LoadTask(row.Release, row.Entry)
	if fault.CodeOf(err) == fault.NotFound || err == nil && now.ID != row.ID {
		reply.Cancelled, reply.Taken = true, true
		return nil
	}
	if err != nil {
		return err
	}
	now.Reported = row.Reported
	row = now
	if out.State != nil {
		row.State = out.State
	}
	if out.Progress != nil {
		progress, err := json.Marshal(out.Progress)
		if err != nil {
			return fault.Errorf(fault.Internal, "encode progress: %w", err)
		}
		row.Progress = progress
	}
	return t.renew(row, leaseFor, reply)
}

// renew prolongs the lease and tells the worker how the task stands.
func (t *transition) renew(row TaskRow, leaseFor time.Duration, reply *Reply) error {
	row.LeaseUntil = t.now.Add(leaseFor)
	*reply = replyOf(row)
	return t.tx.PutTask(row)
}

// tell writes the lines of a stage that goes on, and lets the run know when it
// gave traffic or asks for a person.
func (t *transition) tell(row TaskRow, out stage.Outcome) error {
	rec, err := t.loadRun(row.Release)
	if err != nil {
		return err
	}
	env := rec.Run.Environment(row.Entry)
	s := env.Stages[env.Stage]
	changed := !row.Undo && (out.Exposed && !s.Exposed || out.Asks != s.Asks)
	if len(out.Lines) == 0 && !changed {
		return nil
	}
	if err := t.appendLines(&rec, row, out.Lines); err != nil {
		return err
	}
	ev := pipeline.Event{
		Kind: pipeline.EventStageReported, Actor: actorOf(row), Environment: row.Entry, Stage: row.Stage,
		Exposed: out.Exposed, Asks: out.Asks, Memory: out.State,
	}
	if row.Undo {
		return t.saveRun(rec, rec.Wake)
	}
	return t.step(rec, ev)
}

func (t *transition) appendLines(rec *Record, row TaskRow, told []stage.Line) error {
	lines := make([]ledger.Event, len(told))
	for i, l := range told {
		text := l.Text
		if !l.At.IsZero() && t.now.Sub(l.At) > toldLate {
			text += happened + l.At.UTC().Format("15:04:05") + " UTC; the server heard of it only now.)"
		}
		lines[i] = ledger.Event{
			Release: row.Release, At: t.now, Kind: l.Kind, Actor: actorOf(row),
			Environment: row.Entry, Stage: row.Stage, Text: text, Data: l.Data,
		}
	}
	return t.append(rec, lines)
}

// toldLate is how old a worker's line may be without its own time beside it.
const toldLate = 5 * time.Second

func actorOf(row TaskRow) string { return "worker " + row.Holder }

// finish ends the task with its outcome.
func (t *transition) finish(row TaskRow, out stage.Outcome, reply *Reply) error {
	reply.Cancelled, reply.Taken = true, true // there is nothing more to do for this lease
	if err := t.tx.DeleteTask(row.Release, row.Entry); err != nil {
		return err
	}
	rec, err := t.loadRun(row.Release)
	if err != nil {
		return err
	}
	if err := t.appendLines(&rec, row, out.Lines); err != nil {
		return err
	}
	ev := pipeline.Event{
		Actor: actorOf(row), Environment: row.Entry, Stage: row.Stage,
		Reason: out.Reason, Exposed: out.Exposed, Memory: out.State,
	}
	switch {
	case row.Undo && out.Status == stage.Passed:
		ev.Kind = pipeline.EventUndoPassed
	case row.Undo:
		ev.Kind = pipeline.EventUndoFailed
	case out.Status == stage.Passed:
		ev.Kind = pipeline.EventStagePassed
	default:
		ev.Kind = pipeline.EventStageFailed
	}
	return t.step(rec, ev)
}
