package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/router"
)

// Retire takes the revision out of the router's table, waits until it has
// answered what it had or its drain limit is over, ends its processes, and keeps
// its spec and logs.
//
// The target's lock is not held while it waits: a rollback goes first. A Place
// that comes during the drain keeps the revision, and Retire then gives up with
// fault.Conflict.
func (p *Platform) Retire(ctx context.Context, lease platform.Lease, t platform.Target, revision string) error {
	if err := p.retire(ctx, lease, t, revision); err != nil {
		return fault.Errorf(fault.CodeOf(err), "retire revision %s from %s: %w", revision, t, err)
	}
	return p.prune(ctx, t)
}

func (p *Platform) retire(ctx context.Context, lease platform.Lease, t platform.Target, revision string) error {
	f, gone, err := p.withdraw(ctx, lease, t, revision)
	if err != nil || gone {
		return err
	}
	wanted, surplus, err := p.instances(t, f)
	if err != nil {
		return err
	}
	all := append(wanted, surplus...)
	if err := p.drain(ctx, t, all); err != nil {
		return err
	}
	free, err := p.lockRevision(ctx, t, revision)
	if err != nil {
		return err
	}
	defer free()
	if err := p.advance(ctx, lease, t, revision, stopping); err != nil {
		return err
	}
	if err := p.endInstances(ctx, all); err != nil {
		return err
	}
	return p.advance(ctx, lease, t, revision, retired)
}

// withdraw refuses a revision with traffic and takes the others out of the table.
func (p *Platform) withdraw(ctx context.Context, lease platform.Lease, t platform.Target, revision string) (f revisionFile, gone bool, err error) {
	unlock, err := p.lockTarget(ctx, t)
	if err != nil {
		return f, false, err
	}
	defer unlock()
	route, err := p.claim(ctx, lease, t)
	if err != nil {
		return f, false, err
	}
	f, found, err := p.readRevision(t, revision)
	if err != nil || !found || f.Phase == retired {
		return f, true, err
	}
	arm, inTable := route.Arm(revision)
	if arm.Weight > 0 {
		return f, false, fault.Errorf(fault.Conflict, "it still has %d of %d parts of the traffic", arm.Weight, platform.Whole).
			WithHint("route its traffic to another revision first")
	}
	if f.Phase == placed {
		f.Phase = draining
		if err := p.writeRevision(t, f); err != nil {
			return f, false, err
		}
	}
	if inTable {
		route.Arms = slices.DeleteFunc(route.Arms, func(a router.Arm) bool { return a.Revision == revision })
		if _, err := p.config.Router.PutRoute(ctx, t.String(), route); err != nil {
			return f, false, routerFault(err, "put", lease, t)
		}
	}
	return f, false, nil
}

// drain waits until the router has no request under way on the instances. The
// limit counts from now, so a second attempt after a crash may wait again.
func (p *Platform) drain(ctx context.Context, t platform.Target, instances []instance) error {
	if len(instances) == 0 {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, time.Duration(instances[0].settings.Drain))
	defer cancel()
	for {
		busy, err := p.busy(ctx, t, instances)
		if err != nil {
			return err
		}
		if !busy {
			return nil
		}
		if wait(limit, 20*time.Millisecond) != nil {
			return ctx.Err() // nil when it was the limit that ended
		}
	}
}

func (p *Platform) busy(ctx context.Context, t platform.Target, instances []instance) (bool, error) {
	running := map[string]bool{}
	for _, i := range instances {
		l, err := i.look()
		if err != nil {
			return false, err
		}
		running[l.record.address()] = l.running
	}
	inflight, err := p.config.Router.Inflight(ctx, t.String())
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return false, err
	}
	for address, n := range inflight {
		if n > 0 && running[address] {
			return true, nil
		}
	}
	return false, nil
}

// advance moves a revision on its way out to the next phase, unless it was
// placed again or a newer lease holds the target by now.
func (p *Platform) advance(ctx context.Context, lease platform.Lease, t platform.Target, revision string, to phase) error {
	unlock, err := p.lockTarget(ctx, t)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := p.claim(ctx, lease, t); err != nil {
		return err
	}
	f, found, err := p.readRevision(t, revision)
	if err != nil {
		return err
	}
	if !found || f.Phase == retired {
		return nil
	}
	if f.Phase == placed {
		return fault.Errorf(fault.Conflict, "it was placed again meanwhile")
	}
	if to == retired {
		if err := p.clearAll(ctx, t, f); err != nil {
			return err
		}
	}
	f.Phase = to
	return p.writeRevision(t, f)
}

// endInstances ends all of them at the same time.
func (p *Platform) endInstances(ctx context.Context, instances []instance) error {
	faults := make([]error, len(instances))
	var group sync.WaitGroup
	for n, i := range instances {
		group.Go(func() { faults[n] = p.end(ctx, i) })
	}
	group.Wait()
	return errors.Join(faults...)
}

func (p *Platform) end(ctx context.Context, i instance) error {
	r, found, err := i.record()
	if err != nil || !found {
		return err
	}
	if err := end(ctx, i.lockPath(), r.Process, time.Duration(i.settings.StopTimeout)); err != nil {
		return fault.Errorf(fault.Unavailable, "end process %d: %w", r.PID, err)
	}
	reap(i.dir, r.Process, p.config.Now())
	return nil
}

// endAll finishes a retirement that its worker could not: it ends the processes
// and forgets them. The caller holds the target's lock.
func (p *Platform) endAll(ctx context.Context, t platform.Target, f revisionFile) error {
	wanted, surplus, err := p.instances(t, f)
	if err != nil {
		return err
	}
	if err := p.endInstances(ctx, append(wanted, surplus...)); err != nil {
		return err
	}
	return p.clearAll(ctx, t, f)
}

func (p *Platform) clearAll(ctx context.Context, t platform.Target, f revisionFile) error {
	wanted, surplus, err := p.instances(t, f)
	if err != nil {
		return err
	}
	for _, i := range append(wanted, surplus...) {
		if err := p.clear(ctx, i); err != nil {
			return err
		}
	}
	work := workDir(p.revisionDir(t, f.Revision.ID))
	return diskFault(os.RemoveAll(work), work)
}

// clear ends what is left of an instance and forgets it; only its log stays.
func (p *Platform) clear(ctx context.Context, i instance) error {
	if err := p.end(ctx, i); err != nil {
		return err
	}
	for _, path := range []string{i.recordPath(), i.statusPath(), i.exitPath()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return diskFault(err, path)
		}
	}
	return nil
}

// dismiss drains and ends instances that a smaller capacity has no use for; the
// table has dropped them already.
func (p *Platform) dismiss(ctx context.Context, t platform.Target, surplus []instance) error {
	if len(surplus) == 0 {
		return nil
	}
	if err := p.drain(ctx, t, surplus); err != nil {
		return err
	}
	for _, i := range surplus {
		if err := p.clear(ctx, i); err != nil {
			return err
		}
	}
	return nil
}
