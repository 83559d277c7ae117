package host

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairwayhq/fairway/internal/process"
)

// Process names one process for all time.
type Process = process.Process

// age is how long the process has been running, where possible by a clock that
// nobody can set: a clock that jumps must not make an instance late.
func (p *Platform) age(r record) time.Duration {
	now, known := process.Uptime()
	started, ok := process.StartedAfterBoot(r.Process)
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
		if !pending || dead.Alive() {
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
	if p.Alive() {
		if err := process.SignalGroup(p.PID, syscall.SIGTERM); err != nil {
			return err
		}
		soft, cancel := context.WithTimeout(ctx, limit)
		err := untilGone(soft, p)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			_ = process.SignalGroup(p.PID, syscall.SIGKILL)
			if err := untilGone(ctx, p); err != nil {
				return err
			}
		}
	}
	process.Sweep(lock, p)
	return nil
}

func untilGone(ctx context.Context, p Process) error {
	for p.Alive() {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
