package command

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

const (
	// grace is how long a command may take to end after SIGTERM.
	grace = 5 * time.Second
	// reserve is what its supervisor gets on top before it is killed too.
	reserve = 2 * time.Second
)

// Stop ends the command with all of its process group and session, and returns when
// nothing is left or ctx ends. It is a success if it does not run, and then it never
// will: the note that it leaves comes before every start that is still under way.
//
// Whoever stops writes the note first and looks for a supervisor afterwards; a
// supervisor does it the other way around, so one of the two always sees the other.
func (c *Commands) Stop(ctx context.Context, id string) error {
	dir := c.dir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return diskFault(err, dir)
	}
	noted, err := exists(stoppedPath(dir))
	if err == nil && !noted {
		err = process.ReplaceFile(stoppedPath(dir), nil)
	}
	if err != nil {
		return diskFault(err, dir)
	}
	var asked time.Time
	for {
		unlock, err := process.TryLock(lockPath(dir), syscall.LOCK_EX)
		if err == nil {
			defer unlock()
			return settle(dir)
		}
		if !errors.Is(err, process.ErrLocked) {
			return diskFault(err, dir)
		}
		if asked, err = press(dir, asked); err != nil {
			return err
		}
		if err := process.Wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// press asks the supervisor once to end the command, and kills both when that takes
// too long. One without a record is about to see the note by itself.
func press(dir string, asked time.Time) (time.Time, error) {
	begun, found, err := process.ReadRecord[record](recordPath(dir))
	switch {
	case err != nil:
		return asked, diskFault(err, dir)
	case !found || !begun.Alive():
	case asked.IsZero():
		_ = syscall.Kill(begun.PID, syscall.SIGTERM)
		return time.Now(), nil
	case time.Since(asked) > grace+reserve:
		bury(begun)
		_ = syscall.Kill(begun.PID, syscall.SIGKILL)
	}
	return asked, nil
}

// settle ends what a killed supervisor left. The caller holds its lock.
func settle(dir string) error {
	begun, found, err := process.ReadRecord[record](recordPath(dir))
	if err != nil || !found {
		return diskFault(err, dir)
	}
	if ended, err := exists(resultPath(dir)); err != nil || ended {
		return diskFault(err, dir)
	}
	bury(begun)
	return nil
}
