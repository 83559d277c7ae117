//go:build !linux

package host

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Without /proc Fairway knows less about foreign processes: who owns a port is
// not told, and only the process group of a dead instance is swept.

func identify(pid int) (Process, error) {
	const zombie = 5 // SZOMB in sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return Process{}, fmt.Errorf("process %d has ended", pid)
	}
	start := info.Proc.P_starttime
	return Process{PID: pid, Start: fmt.Sprintf("%d.%06d", start.Sec, start.Usec)}, nil
}

func remnants(_ string, leader Process) []int {
	if leader.PID <= 1 {
		return nil
	}
	if now, err := identify(leader.PID); err == nil && now != leader {
		return nil
	}
	return []int{-leader.PID}
}

func stranger(int, int) int { return 0 }

func portsOf(int) []int { return nil }

func uptime() (time.Duration, bool) { return 0, false }

func startedAfterBoot(Process) (time.Duration, bool) { return 0, false }

func commandName(int) string { return "" }

func ephemeralFrom() int { return 49152 }

func selfExecutable() string {
	name, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return name
}

func fcntlDup(fd, from int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD, from) }
