package process

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrLocked says that somebody else holds the lock.
var ErrLocked = errors.New("somebody else holds the lock")

// TryLock locks the file, which is made if it is not there, or returns ErrLocked.
// how is syscall.LOCK_EX or LOCK_SH.
//
// A file lock ends with the process that holds it, so one that is killed leaves
// none behind, and it holds between two processes as well as between two
// goroutines (each opens the file for itself).
//
// Whoever drops unlock without calling it loses the lock when the garbage collector
// finds the file; HoldLock is for a lock that nobody is to open.
func TryLock(path string, how int) (unlock func(), err error) {
	f, err := lock(path, how)
	if err != nil {
		return nil, err
	}
	// Closing alone would leave the lock with a process that is being forked right now.
	return func() { _ = flock(f, syscall.LOCK_UN); _ = f.Close() }, nil
}

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, how|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// HoldLock locks the file for this process alone until it ends, or returns ErrLocked.
// The processes that it starts do not have the lock.
func HoldLock(path string) error {
	f, err := lock(path, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	heldMu.Lock()
	defer heldMu.Unlock()
	held = append(held, f)
	return nil
}

// held keeps what HoldLock has opened: the garbage collector closes the descriptor of
// a file that nobody refers to, and the lock goes with it.
var (
	heldMu sync.Mutex
	held   []*os.File
)

// WaitLock waits for the lock until ctx ends.
func WaitLock(ctx context.Context, path string, how int) (unlock func(), err error) {
	const pause = 5 * time.Millisecond
	for {
		unlock, err := TryLock(path, how)
		if !errors.Is(err, ErrLocked) {
			return unlock, err
		}
		if err := Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Wait returns early, with the context's error, when ctx ends.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
