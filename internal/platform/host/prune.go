package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// keepRetired is how many retired revisions a target remembers, with their
// artifacts and logs, so that going back to one needs no download.
const keepRetired = 5

// prune forgets the retired revisions that were used longest ago, and the
// artifacts that no revision needs any more.
func (p *Platform) prune(ctx context.Context, t platform.Target) error {
	unlock, err := tryLock(filepath.Join(p.config.StateDir, "artifacts.lock"), syscall.LOCK_EX)
	if errors.Is(err, process.ErrLocked) {
		return nil // something is being placed; the next Retire prunes
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.pruneRevisions(t); err != nil {
		return err
	}
	return p.pruneArtifacts(ctx)
}

func (p *Platform) pruneRevisions(t platform.Target) error {
	revisions, err := p.readRevisions(t)
	if err != nil {
		return err
	}
	revisions = slices.DeleteFunc(revisions, func(f revisionFile) bool { return f.Phase != retired })
	slices.SortFunc(revisions, func(a, b revisionFile) int { return b.UsedAt.Compare(a.UsedAt) })
	for _, f := range revisions[min(keepRetired, len(revisions)):] {
		dir := p.revisionDir(t, f.Revision.ID)
		if err := os.RemoveAll(dir); err != nil {
			return diskFault(err, dir)
		}
	}
	return nil
}

func (p *Platform) pruneArtifacts(ctx context.Context) error {
	needed := map[string]bool{}
	targets, err := p.readTargets()
	if err != nil {
		return err
	}
	for _, t := range targets {
		revisions, err := p.readRevisions(t)
		if err != nil {
			return err
		}
		for _, f := range revisions {
			needed[p.artifactPath(f.Revision.Artifact.Digest)] = true
		}
	}
	dir := filepath.Join(p.config.StateDir, "artifacts")
	kept, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault(err, dir)
	}
	for _, e := range kept {
		path := filepath.Join(dir, e.Name())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if needed[path] {
			continue
		}
		if err := os.Remove(path); err != nil {
			return diskFault(err, path)
		}
	}
	return nil
}
