package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// Keep looks after all targets until ctx ends: it starts instances again that
// crashed after they were ready, starts those that a killed worker did not come
// to, notices who became ready, keeps the router's backends in line and the logs
// small. Several keepers on one state folder do not harm each other.
func (p *Platform) Keep(ctx context.Context) {
	ticker := time.NewTicker(p.config.Interval)
	defer ticker.Stop()
	for {
		p.keepAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Platform) keepAll(ctx context.Context) {
	targets, err := p.readTargets()
	p.complain(ctx, platform.Target{}, err)
	var group sync.WaitGroup
	for _, t := range targets {
		group.Go(func() {
			p.complain(ctx, t, p.keepTarget(ctx, t))
		})
	}
	group.Wait()
}

// complain logs what keeps a target from being looked after, once for as long
// as it stays the same.
func (p *Platform) complain(ctx context.Context, t platform.Target, err error) {
	now := ""
	if err != nil && ctx.Err() == nil {
		now = err.Error()
	}
	p.mu.Lock()
	before := p.complaints[t]
	p.complaints[t] = now
	p.mu.Unlock()
	if now != "" && now != before {
		p.config.Log.ErrorContext(ctx, "could not look after a target",
			"service", t.Service, "environment", t.Environment, "region", t.Region, "error", err)
	}
}

func (p *Platform) keepTarget(ctx context.Context, t platform.Target) error {
	revisions, err := p.readRevisions(t)
	if err != nil {
		return err
	}
	var dead, waiting []instance
	for _, f := range revisions {
		if f.Phase != placed {
			continue
		}
		wanted, _, err := p.instances(t, f)
		if err != nil {
			return err
		}
		for _, i := range wanted {
			l, err := i.look()
			if err != nil {
				return err
			}
			switch {
			case !l.running && p.due(l):
				dead = append(dead, i)
			case l.running && !l.answered && !l.status.Failed && p.mayAsk(i):
				waiting = append(waiting, i)
			}
			if err := trimLog(i.logPath()); err != nil {
				return err
			}
		}
	}
	return errors.Join(p.revive(ctx, t, dead), p.greet(ctx, waiting), p.follow(ctx, t, revisions))
}

// due says whether a dead instance is to be started now. One that was never
// ready is judged by inspect instead: its end is final.
func (p *Platform) due(l life) bool {
	if !l.started {
		return true
	}
	end := reap(l.dir, l.record.Process, p.config.Now())
	if !l.status.everReady() {
		return false
	}
	now := p.config.Now()
	wentBack := now.Before(end.At) || now.Before(l.status.TriedAt) // the clock was set back; waiting for it could take days
	return wentBack || !now.Before(restartAt(l, end))
}

const (
	firstPause = 250 * time.Millisecond
	longest    = 30 * time.Second
	settledIn  = time.Minute
)

// restartAt is when a dead instance is to be started again: at once after a long
// life, then later with every restart that did not hold.
func restartAt(l life, end exit) time.Time {
	if l.status.Streak == 0 || end.At.Sub(l.record.StartedAt) > settledIn && l.status.TriedAt.Before(end.At) {
		return end.At
	}
	from := end.At
	if l.status.TriedAt.After(from) {
		from = l.status.TriedAt
	}
	return from.Add(min(longest, firstPause<<min(l.status.Streak-1, 10)))
}

// revive starts dead instances again, one target at a time with its verbs. When
// a verb is busy, the next look will do.
func (p *Platform) revive(ctx context.Context, t platform.Target, dead []instance) error {
	if len(dead) == 0 {
		return nil
	}
	unlock, err := tryLock(filepath.Join(p.targetDir(t), "lock"), syscall.LOCK_EX)
	if errors.Is(err, process.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	var faults []error
	for _, i := range dead {
		f, found, err := p.readRevision(t, i.revision.ID)
		if err != nil || !found || f.Phase != placed || i.slot >= f.Capacity.Instances {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, p.restart(ctx, t, i))
	}
	return errors.Join(faults...)
}

func (p *Platform) restart(ctx context.Context, t platform.Target, i instance) error {
	l, err := i.look()
	if err != nil || l.running {
		return err
	}
	if !l.started {
		return p.start(ctx, i)
	}
	end := reap(i.dir, l.record.Process, p.config.Now())
	held := end.At.Sub(l.record.StartedAt) > settledIn
	// Counted before the start, so that a start that fails also waits longer each time.
	err = l.update(ctx, func(s *status) {
		s.Restarts++
		s.Streak++
		s.TriedAt = p.config.Now()
		if held {
			s.Streak = 1
		}
	})
	if err != nil {
		return err
	}
	p.config.Log.WarnContext(ctx, "started a crashed instance again",
		"service", t.Service, "environment", t.Environment, "region", t.Region,
		"revision", i.revision.ID, "instance", i.slot+1, "ended", end.Status, "restarts", l.status.Restarts)
	return p.start(ctx, i)
}

// greet asks the instances that are not ready yet, all at the same time.
func (p *Platform) greet(ctx context.Context, waiting []instance) error {
	faults := make([]error, len(waiting))
	var group sync.WaitGroup
	for n, i := range waiting {
		group.Go(func() { _, _, faults[n] = p.inspect(ctx, i) })
	}
	group.Wait()
	return errors.Join(faults...)
}

// follow brings the router's table in line, when no verb is at work on the target.
func (p *Platform) follow(ctx context.Context, t platform.Target, revisions []revisionFile) error {
	now := ""
	for _, f := range revisions {
		if f.Phase != placed {
			continue
		}
		backends, err := p.answering(t, f)
		if err != nil {
			return err
		}
		now += fmt.Sprintln(f.Revision.ID, backends)
	}
	if p.inLine(t, now) {
		return nil
	}
	unlock, err := tryLock(filepath.Join(p.targetDir(t), "lock"), syscall.LOCK_EX)
	if errors.Is(err, process.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.syncRoute(ctx, t); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.followed[t] = followed{answering: now, at: p.config.Now()}
	return nil
}

// followed is what the table was last brought in line with.
type followed struct {
	answering string
	at        time.Time
}

// again is how often the table is compared although nothing here has changed.
const again = 2 * time.Second

// inLine says whether there is no need to ask the router.
func (p *Platform) inLine(t platform.Target, answering string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.followed[t]
	return last.answering == answering && p.config.Now().Sub(last.at) < again
}

// mayAsk keeps to the pause between two readiness checks that the settings name.
func (p *Platform) mayAsk(i instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.config.Now()
	if now.Sub(p.asked[i.dir]) < time.Duration(i.settings.Ready.Interval) {
		return false
	}
	p.asked[i.dir] = now
	return true
}
