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
)

// A file lock ends with the process that holds it, so a killed worker leaves
// none behind, and it holds between two workers on one machine as well as
// between two goroutines (each opens the file for itself).

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
	const pause = 5 * time.Millisecond
	for {
		unlock, err := tryLock(path, how)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

var errLocked = errors.New("somebody else holds the lock")

// tryLock returns errLocked when somebody else holds the lock.
func tryLock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, diskFault(err, path)
	}
	if err := flock(f, how|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, diskFault(err, path)
	}
	// Closing alone would leave the lock with a process that is being forked right now.
	return func() { _ = flock(f, syscall.LOCK_UN); _ = f.Close() }, nil
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// wait returns early, with the context's error, when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
