package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootID tells one boot from the next, as start times count from the boot.
var bootID = sync.OnceValue(func() string {
	raw, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(raw))
})

// Identify reads who runs under the pid. A zombie is nobody.
func Identify(pid int) (Process, error) {
	fields, err := stat(pid)
	if err != nil {
		return Process{}, err
	}
	// A first thread that has ended while others have not is no dead process: it
	// looks like that for an instant when another thread calls exec.
	if state, threads := fields[0], fields[17]; (state == "Z" || state == "X") && (threads == "0" || threads == "1") {
		return Process{}, fmt.Errorf("process %d has ended", pid)
	}
	return Process{PID: pid, Start: bootID() + ":" + fields[19]}, nil
}

// Uptime is the time since the boot, which no change of the clock moves; false
// where the system does not tell.
func Uptime() (time.Duration, bool) {
	var up unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
	return time.Duration(up.Nano()), err == nil
}

// StartedAfterBoot reads the start from an identity, in ticks of 10 ms (USER_HZ);
// false where the system does not tell.
func StartedAfterBoot(p Process) (time.Duration, bool) {
	_, ticks, _ := strings.Cut(p.Start, ":")
	n, err := strconv.ParseInt(ticks, 10, 64)
	return time.Duration(n) * 10 * time.Millisecond, err == nil
}

// stat returns the fields of /proc/PID/stat from the third on (see proc_pid_stat(5)).
func stat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The name, the second field, may itself hold blanks and brackets.
	after := bytes.LastIndexByte(raw, ')')
	fields := strings.Fields(string(raw[after+1:]))
	if after < 0 || len(fields) < 20 {
		return nil, fmt.Errorf("process %d: unknown form of its stat file", pid)
	}
	return fields, nil
}

// Remnants returns the processes that are in the leader's session or hold its lock,
// but for the caller; no lock is meant by "".
func Remnants(lock string, leader Process) []int {
	// Of an earlier boot nothing is left, and its numbers may be anybody's by now.
	reused := !strings.HasPrefix(leader.Start, bootID()+":")
	if now, err := Identify(leader.PID); err == nil && now != leader {
		reused = true
	}
	var found []int
	for _, pid := range All() {
		fields, err := stat(pid)
		if err != nil || fields[0] == "Z" || pid == os.Getpid() {
			continue
		}
		session := !reused && leader.PID > 0 && fields[3] == strconv.Itoa(leader.PID)
		if session || lock != "" && slices.Contains(Descriptors(pid), lock) {
			found = append(found, pid)
		}
	}
	return found
}

// All returns every pid that the system tells.
func All() []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// Descriptors returns what the process has open, as the system names it.
func Descriptors(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(dir)
	var open []string
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			open = append(open, target)
		}
	}
	return open
}

// InSession says whether the process is in the leader's session.
func InSession(pid, leader int) bool {
	fields, err := stat(pid)
	return err == nil && fields[3] == strconv.Itoa(leader)
}

// Self is this very program, also after its file was replaced by an upgrade.
func Self() string { return "/proc/self/exe" }
