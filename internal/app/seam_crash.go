//go:build crash

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// What test/crash builds with the tag "crash": the stores, the platform and the
// commands, each with a point to die at before, during and after every commit and verb.
//
// Before a commit means that the transaction's function has written everything;
// during, that the store is committing; after, that it is on disk and nobody has
// been told yet. Before a verb nothing has been done, after it nobody was told.

func seamOfDrive(s drive.Store) drive.Store                { return dyingDrive{s} }
func seamOfRelease(s release.Store) release.Store          { return dyingRelease{s} }
func seamOfPlatform(p platform.Platform) platform.Platform { return dyingHost(p) }
func seamOfCommands(c stage.Commands) stage.Commands       { return dyingCommands{c} }

type dyingDrive struct{ drive.Store }

func (d dyingDrive) Update(ctx context.Context, f func(drive.Tx) error) error {
	return dyingCommit(func(note *writes) error {
		return d.Store.Update(ctx, func(tx drive.Tx) error {
			note.reset()
			if err := f(notedDrive{tx, note}); err != nil {
				return err
			}
			note.written()
			return nil
		})
	})
}

type dyingRelease struct{ release.Store }

func (d dyingRelease) Update(ctx context.Context, f func(release.Tx) error) error {
	return dyingCommit(func(note *writes) error {
		return d.Store.Update(ctx, func(tx release.Tx) error {
			note.reset()
			if err := f(notedRelease{tx, note}); err != nil {
				return err
			}
			note.written()
			return nil
		})
	})
}

// dyingCommit runs one update with its three points to die at.
func dyingCommit(update func(*writes) error) error {
	note := &writes{}
	err := update(note)
	if note.done != nil {
		note.done()
	}
	if err != nil {
		return err
	}
	points := note.points()
	for _, l := range note.leases {
		theAims.trace("lease %s %d", l, note.began.UnixNano())
	}
	if len(points) > 0 {
		theAims.trace("commit %s", strings.Join(points, " "))
		theAims.at("after", points...)
	}
	return nil
}

// writes is what one transaction wrote, which gives its commit a name.
type writes struct {
	began  time.Time
	kinds  []string
	fences map[string]int64 // by target, those that were made
	leases []string         // TARGET FENCE TASK HOLDER
	other  string
	done   func()
}

func (w *writes) reset() { *w = writes{began: time.Now(), fences: map[string]int64{}, done: w.done} }

// written is called when the function of the transaction has ended well.
func (w *writes) written() {
	points := w.points()
	theAims.at("before", points...)
	w.done = theAims.during(points...)
}

// points are the names of the commit: the kinds of the ledger's lines in it, or
// else what it was for.
func (w *writes) points() []string {
	names := slices.Clone(w.kinds)
	if len(names) == 0 && w.other != "" {
		names = append(names, w.other)
	}
	for i, n := range names {
		names[i] = "commit/" + n
	}
	return names
}

func (w *writes) events(lines []ledger.Event) {
	for _, l := range lines {
		if !slices.Contains(w.kinds, l.Kind) {
			w.kinds = append(w.kinds, l.Kind)
		}
	}
}

func (w *writes) fence(target string, fence int64, err error) {
	if err == nil {
		w.other = "lease"
		w.fences[target] = fence
	}
}

func (w *writes) task(row drive.TaskRow) {
	target := platform.Target{Service: row.Service, Environment: row.Environment, Region: row.Region}.String()
	if fence, ok := w.fences[target]; ok && fence == row.Fence && row.Holder != "" {
		w.leases = append(w.leases, fmt.Sprintf("%s %d %s %s", target, fence, row.ID, row.Holder))
	}
	if w.other == "" {
		w.other = "report"
	}
}

type notedDrive struct {
	drive.Tx
	note *writes
}

func (t notedDrive) AppendEvents(lines []ledger.Event) error {
	t.note.events(lines)
	return t.Tx.AppendEvents(lines)
}

func (t notedDrive) NextFence(target string) (int64, error) {
	fence, err := t.Tx.NextFence(target)
	t.note.fence(target, fence, err)
	return fence, err
}

func (t notedDrive) PutTask(row drive.TaskRow) error {
	t.note.task(row)
	return t.Tx.PutTask(row)
}

func (t notedDrive) DeleteMessage(id string) error {
	t.note.other = "delivered"
	return t.Tx.DeleteMessage(id)
}

type notedRelease struct {
	release.Tx
	note *writes
}

func (t notedRelease) AppendEvents(lines []ledger.Event) error {
	t.note.events(lines)
	return t.Tx.AppendEvents(lines)
}

type dyingPlatform struct {
	platform.Platform
	platform.Injector
}

// dyingHost keeps the ability to do harm, which the host platform has: drills are killed too.
func dyingHost(p platform.Platform) dyingPlatform { return dyingPlatform{p, p.(platform.Injector)} }

func (d dyingPlatform) Observe(ctx context.Context, t platform.Target) (s platform.State, err error) {
	err = dyingVerb("observe", t, 0, func() error {
		s, err = d.Platform.Observe(ctx, t)
		return err
	})
	return s, err
}

func (d dyingPlatform) Place(ctx context.Context, l platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return dyingVerb("place", t, l.Fence, func() error { return d.Platform.Place(ctx, l, t, r, c) })
}

func (d dyingPlatform) Route(ctx context.Context, l platform.Lease, t platform.Target, w platform.Weights) error {
	return dyingVerb("route", t, l.Fence, func() error { return d.Platform.Route(ctx, l, t, w) })
}

func (d dyingPlatform) Retire(ctx context.Context, l platform.Lease, t platform.Target, revision string) error {
	return dyingVerb("retire", t, l.Fence, func() error { return d.Platform.Retire(ctx, l, t, revision) })
}

// dyingCommands dies around the start of a command: before it, in its middle, when
// the supervisor may have been forked, and after it.
type dyingCommands struct{ stage.Commands }

func (d dyingCommands) Start(ctx context.Context, id string, spec command.Spec) error {
	theAims.at("before", "start")
	done := theAims.during("start")
	err := d.Commands.Start(ctx, id, spec)
	done()
	theAims.trace("command start %s", id)
	theAims.at("after", "start")
	return err
}

// dyingVerb calls one verb with its three points to die at.
func dyingVerb(verb string, t platform.Target, fence int64, call func() error) error {
	theAims.at("before", verb)
	done := theAims.during(verb)
	began := time.Now()
	err := call()
	done()
	how := "ok"
	switch {
	case errors.Is(err, platform.ErrFenced):
		how = "fenced"
	case err != nil:
		how = "failed"
	}
	if fence > 0 {
		theAims.trace("verb %s %s %d %s %d", verb, t, fence, how, began.UnixNano())
	}
	theAims.at("after", verb)
	return err
}
