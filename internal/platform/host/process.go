package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process names one process for all time: pids come around again, a pid with
// its start time does not.
type Process struct {
	PID int `json:"pid"`
	// Start is opaque and differs between any two processes that had the same pid.
	Start string `json:"start"`
}

// alive says whether the process still runs; a zombie does not.
//
// A process that calls exec from any but its first thread, as Go programs do,
// looks dead for an instant while the threads change places. So death is only
// believed when it lasts.
func (p Process) alive() bool {
	for range 4 {
		if now, err := identify(p.PID); err == nil {
			return now == p
		}
		if p.PID == 0 || unix.Kill(p.PID, 0) == unix.ESRCH {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// age is how long the process has been running, where possible by a clock that
// nobody can set: a clock that jumps must not make an instance late.
func (p *Platform) age(r record) time.Duration {
	now, known := uptime()
	started, ok := startedAfterBoot(r.Process)
	if known && ok {
		return now - started
	}
	return p.config.Now().Sub(r.StartedAt)
}

// exit is how a process ended, as far as it is known.
type exit struct {
	Process
	// Status is "status 3" or "signal killed"; empty when somebody else reaped it.
	Status string    `json:"status,omitempty"`
	At     time.Time `json:"at"`
}

var reaping sync.Mutex

// reap collects the exit status of a dead process, once, and keeps it in the
// instance's folder. Only the worker that started it can know the status.
func reap(dir string, dead Process, now time.Time) exit {
	reaping.Lock()
	defer reaping.Unlock()
	path := filepath.Join(dir, "exit.json")
	if kept, found, err := readJSON[exit](path); err == nil && found && kept.Process == dead {
		return kept
	}
	ended, pending := tryCollect(dead.PID)
	for range 200 { // the last threads of a process end a little after its first
		if !pending || dead.alive() {
			break
		}
		time.Sleep(time.Millisecond)
		ended, pending = tryCollect(dead.PID)
	}
	e := exit{Process: dead, Status: ended, At: now}
	_ = writeJSON(path, e) // a full disk costs the words, not the fact
	return e
}

// collect takes the status of a child that has ended; for any other process it returns "".
func collect(pid int) string {
	status, _ := tryCollect(pid)
	return status
}

// tryCollect also says whether the pid is a child that has not quite ended.
func tryCollect(pid int) (ended string, pending bool) {
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	switch {
	case err != nil || got != pid:
		return "", err == nil
	case status.Signaled():
		return fmt.Sprintf("signal %s", unix.SignalName(status.Signal())), false
	default:
		return fmt.Sprintf("status %d", status.ExitStatus()), false
	}
}

// end stops the process and everything in its session: SIGTERM, and SIGKILL
// when the limit is over. It returns when nothing is left or ctx ends.
func end(ctx context.Context, lock string, p Process, limit time.Duration) error {
	if p.alive() {
		if err := signalGroup(p.PID, syscall.SIGTERM); err != nil {
			return err
		}
		soft, cancel := context.WithTimeout(ctx, limit)
		err := untilGone(soft, p)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			_ = signalGroup(p.PID, syscall.SIGKILL)
			if err := untilGone(ctx, p); err != nil {
				return err
			}
		}
	}
	sweep(lock, p)
	return nil
}

func untilGone(ctx context.Context, p Process) error {
	for p.alive() {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// sweep kills what the dead process left behind: members of its session and, where
// a lock is named, whoever has it open.
func sweep(lock string, p Process) {
	if lock == "" && p.PID == 0 {
		return
	}
	// While this process forks, its child has all its files, locks of other instances among them.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, pid := range remnants(lock, p) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func signalGroup(pid int, signal syscall.Signal) error {
	err := syscall.Kill(-pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return os.NewSyscallError("kill", err)
}
