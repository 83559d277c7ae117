package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// lockTarget waits until nobody else changes the target, at most Config.LockWait.
func (p *Platform) lockTarget(ctx context.Context, t platform.Target) (unlock func(), err error) {
	path := filepath.Join(p.targetDir(t), "lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, diskFault(err, path)
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.LockWait)
	defer cancel()
	unlock, err = waitLock(ctx, path, syscall.LOCK_EX)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, fault.Errorf(fault.Unavailable, "another worker is busy with target %s: %w", t, err)
	}
	return unlock, err
}

// lockRevision waits until nobody else starts or ends processes of the
// revision. It is taken before the target's lock and, unlike that, held while
// a download, a drain or an end is waited for.
func (p *Platform) lockRevision(ctx context.Context, t platform.Target, id string) (unlock func(), err error) {
	path := filepath.Join(p.revisionDir(t, id), "lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, diskFault(err, path)
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.LockWait)
	defer cancel()
	unlock, err = waitLock(ctx, path, syscall.LOCK_EX)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, fault.Errorf(fault.Unavailable, "another worker is busy with the revision: %w", err)
	}
	return unlock, err
}

func waitLock(ctx context.Context, path string, how int) (unlock func(), err error) {
	unlock, err = process.WaitLock(ctx, path, how)
	return unlock, lockFault(err, path)
}

// tryLock returns process.ErrLocked when somebody else holds the lock.
func tryLock(path string, how int) (unlock func(), err error) {
	unlock, err = process.TryLock(path, how)
	return unlock, lockFault(err, path)
}

// lockFault leaves alone what says that somebody else holds the lock.
func lockFault(err error, path string) error {
	if errors.Is(err, process.ErrLocked) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return diskFault(err, path)
}

// wait returns early, with the context's error, when ctx ends.
func wait(ctx context.Context, d time.Duration) error { return process.Wait(ctx, d) }
