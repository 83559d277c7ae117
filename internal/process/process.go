// Package process is for processes that outlive whoever started them. It says who
// a process is, so that it is found again (its pid and start time), finds what it
// has left behind, and keeps what it says about itself (a record) and that it lives
// (a lock) where the next one looks for it.
//
//	self, err := process.Identify(os.Getpid())
//	err = process.WriteRecord(path, self)
//	// later, in another process
//	found, ok, err := process.ReadRecord[process.Process](path)
//	if ok && found.Alive() { … }
//
// The package starts nothing and decides nothing: what a record holds, and when a
// process is ended, is up to who uses it.
package process

import (
	"errors"
	"os"
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

// Alive says whether the process still runs; a zombie does not.
//
// A process that calls exec from any but its first thread, as Go programs do,
// looks dead for an instant while the threads change places. So death is only
// believed when it lasts.
func (p Process) Alive() bool {
	for range 4 {
		if now, err := Identify(p.PID); err == nil {
			return now == p
		}
		if p.PID == 0 || unix.Kill(p.PID, 0) == unix.ESRCH {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// Sweep kills what the dead process left behind: members of its session and, where
// a lock is named, whoever has it open.
func Sweep(lock string, dead Process) {
	if lock == "" && dead.PID == 0 {
		return
	}
	// While this process forks, its child has all its files, locks among them.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, pid := range Remnants(lock, dead) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// SignalGroup signals every process of the group; a group that has ended is a success.
func SignalGroup(pid int, signal syscall.Signal) error {
	err := syscall.Kill(-pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return os.NewSyscallError("kill", err)
}
