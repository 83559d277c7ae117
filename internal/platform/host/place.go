package host

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Place brings a revision up, or resizes it. Instances 0 takes the number from
// the settings. It returns when the processes are started; a surplus, after
// making a revision smaller, is drained and ended first.
//
// An instance that failed stays failed until the revision is retired or placed
// again under a newer fence.
func (p *Platform) Place(ctx context.Context, lease platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	settings, err := checkRevision(r)
	if err != nil {
		return fault.Errorf(fault.CodeOf(err), "place revision %s: %w", r.ID, err)
	}
	if c.Instances == 0 {
		c.Instances = settings.Instances
	}
	if c.Instances < 0 || c.Instances > maxInstances {
		return fault.Errorf(fault.Invalid, "place revision %s: %d instances are not between 1 and %d", r.ID, c.Instances, maxInstances)
	}
	if err := p.place(ctx, lease, t, r, c); err != nil {
		return fault.Errorf(fault.CodeOf(err), "place revision %s on %s: %w", r.ID, t, err)
	}
	return nil
}

// checkRevision finds everything that can be wrong in the revision itself before the world is touched.
func checkRevision(r platform.Revision) (Settings, error) {
	if r.ID == "" {
		return Settings{}, fault.Errorf(fault.Invalid, "the revision has no ID")
	}
	settings, err := ParseSettings(r.Settings)
	if err != nil {
		return settings, err
	}
	if r.Fault != nil {
		if err := inTable(*r.Fault).Validate(); err != nil {
			return settings, err
		}
	}
	for _, f := range r.Config.Files {
		if !filepath.IsLocal(f.Path) {
			return settings, fault.Errorf(fault.Invalid, "config file %q leads out of the working folder", f.Path).
				WithHint("give a path relative to the working folder, without \"..\"")
		}
	}
	_, err = environ(settings, r, nil)
	return settings, err
}

// place fetches before it takes the target's lock: a slow download must not hold up a rollback.
func (p *Platform) place(ctx context.Context, lease platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	if err := p.refuseOld(ctx, lease, t); err != nil {
		return err
	}
	inUse, err := p.holdArtifacts(ctx)
	if err != nil {
		return err
	}
	defer inUse()
	free, err := p.lockRevision(ctx, t, r.ID)
	if err != nil {
		return err
	}
	defer free()
	artifact, err := p.fetchIfNeeded(ctx, t, r)
	if err != nil {
		return err
	}
	unlock, err := p.lockTarget(ctx, t)
	if err != nil {
		return err
	}
	surplus, err := p.bringUp(ctx, lease, t, revisionFile{Revision: r, Capacity: c, Phase: placed, Fence: lease.Fence}, artifact)
	unlock()
	if err != nil {
		return err
	}
	return p.dismiss(ctx, t, surplus)
}

// fetchIfNeeded returns "" for a revision whose working folder is there and stays.
func (p *Platform) fetchIfNeeded(ctx context.Context, t platform.Target, r platform.Revision) (string, error) {
	former, found, err := p.readRevision(t, r.ID)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(workDir(p.revisionDir(t, r.ID)))
	if err == nil && found && former.Phase != stopping && former.Phase != retired && sameContent(former.Revision, r) {
		return "", nil
	}
	return p.fetch(ctx, r.Artifact)
}

// bringUp does what has to be done under the lock, and returns the instances that are too many.
func (p *Platform) bringUp(ctx context.Context, lease platform.Lease, t platform.Target, f revisionFile, artifact string) ([]instance, error) {
	if _, err := p.claim(ctx, lease, t); err != nil {
		return nil, err
	}
	former, found, err := p.readRevision(t, f.Revision.ID)
	if err != nil {
		return nil, err
	}
	if found && !sameContent(former.Revision, f.Revision) && former.Phase != retired {
		return nil, fault.Errorf(fault.Conflict, "a revision with this ID but another artifact or config is already there").
			WithHint("a revision's ID is derived from its digests; retire the other one first")
	}
	// What is left of a retirement goes first; also a late child of a worker that
	// is dead may have left a record in a retired revision.
	if found && (former.Phase == stopping || former.Phase == retired) {
		if err := p.endAll(ctx, t, former); err != nil {
			return nil, err
		}
	}
	dir := p.revisionDir(t, f.Revision.ID)
	if !found || !sameContent(former.Revision, f.Revision) {
		if err := os.RemoveAll(workDir(dir)); err != nil {
			return nil, diskFault(err, dir)
		}
	}
	if err := p.prepare(dir, artifact, f.Revision); err != nil {
		return nil, err
	}
	if err := p.writeRevision(t, f); err != nil {
		return nil, err
	}
	wanted, surplus, err := p.instances(t, f)
	if err != nil {
		return nil, err
	}
	if err := p.startMissing(ctx, wanted, f.Fence > former.Fence); err != nil {
		return nil, err
	}
	return surplus, p.syncRoute(ctx, t)
}

// startMissing starts, all at once, the instances that were never started, and
// with again also those that failed.
func (p *Platform) startMissing(ctx context.Context, wanted []instance, again bool) error {
	faults := make([]error, len(wanted))
	var group sync.WaitGroup
	for n, i := range wanted {
		group.Go(func() {
			l, err := i.look()
			switch {
			case err != nil:
				faults[n] = err
			case l.status.Failed && again:
				if faults[n] = p.clear(ctx, i); faults[n] == nil {
					faults[n] = p.start(ctx, i)
				}
			case !l.started:
				faults[n] = p.start(ctx, i)
			}
		})
	}
	group.Wait()
	return errors.Join(faults...)
}

// refuseOld is a first look without the lock, so that an old lease downloads nothing.
func (p *Platform) refuseOld(ctx context.Context, lease platform.Lease, t platform.Target) error {
	file, err := p.readTarget(t)
	if err != nil {
		return err
	}
	route, err := p.route(ctx, t)
	if err != nil {
		return err
	}
	return obeyed(lease, t, file, route)
}

// holdArtifacts keeps pruning away while a revision is being prepared.
func (p *Platform) holdArtifacts(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.LockWait)
	defer cancel()
	release, err = waitLock(ctx, filepath.Join(p.config.StateDir, "artifacts.lock"), syscall.LOCK_SH)
	if err != nil && fault.CodeOf(err) != fault.Unavailable {
		err = fault.Errorf(fault.Unavailable, "artifacts are being pruned: %w", err)
	}
	return release, err
}

// sameContent compares what a process was started with. Settings may change
// under one ID; running instances keep those they were started with.
func sameContent(a, b platform.Revision) bool {
	return a.Artifact.Digest == b.Artifact.Digest &&
		maps.Equal(a.Config.Env, b.Config.Env) &&
		maps.Equal(a.Config.Secrets, b.Config.Secrets) &&
		slices.EqualFunc(a.Config.Files, b.Config.Files, func(x, y platform.File) bool {
			return x.Path == y.Path && bytes.Equal(x.Content, y.Content)
		})
}
