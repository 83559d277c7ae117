//go:build !linux

package process

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Without /proc Fairway knows less about foreign processes: only the process group
// of a dead one is swept.

// Identify reads who runs under the pid. A zombie is nobody.
func Identify(pid int) (Process, error) {
	const zombie = 5 // SZOMB in sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return Process{}, fmt.Errorf("process %d has ended", pid)
	}
	start := info.Proc.P_starttime
	return Process{PID: pid, Start: fmt.Sprintf("%d.%06d", start.Sec, start.Usec)}, nil
}

// Remnants returns the leader's group, as a negative pid; nobody if it is the caller's own.
func Remnants(_ string, leader Process) []int {
	if leader.PID <= 1 || leader.PID == os.Getpid() {
		return nil
	}
	if now, err := Identify(leader.PID); err == nil && now != leader {
		return nil
	}
	return []int{-leader.PID}
}

// Uptime is not told here.
func Uptime() (time.Duration, bool) { return 0, false }

// StartedAfterBoot is not told here.
func StartedAfterBoot(Process) (time.Duration, bool) { return 0, false }

// Self is this program's file.
func Self() string {
	name, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return name
}
