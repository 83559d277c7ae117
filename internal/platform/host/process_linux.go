package host

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

// identify reads who runs under the pid. A zombie is nobody.
func identify(pid int) (Process, error) {
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

// uptime is the time since the boot, which no change of the clock moves.
func uptime() (time.Duration, bool) {
	var up unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
	return time.Duration(up.Nano()), err == nil
}

// startedAfterBoot reads the start from an identity, in ticks of 10 ms (USER_HZ).
func startedAfterBoot(p Process) (time.Duration, bool) {
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

// remnants returns the processes that are in the dead leader's session or hold its lock.
func remnants(lock string, leader Process) []int {
	reused := false
	if now, err := identify(leader.PID); err == nil && now != leader {
		reused = true
	}
	var found []int
	for _, pid := range pids() {
		fields, err := stat(pid)
		if err != nil || fields[0] == "Z" || pid == os.Getpid() {
			continue
		}
		session := !reused && leader.PID > 0 && fields[3] == strconv.Itoa(leader.PID)
		if session || lock != "" && holds(pid, lock) {
			found = append(found, pid)
		}
	}
	return found
}

func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func holds(pid int, path string) bool {
	return slices.Contains(descriptors(pid), path)
}

func descriptors(pid int) []string {
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

// stranger returns the process that listens on the port in place of the leader's
// session, 0 when there is none or it cannot be told.
func stranger(port, leader int) int {
	sockets, found := listeners(), 0
	for _, pid := range pids() {
		for _, open := range descriptors(pid) {
			if sockets[open] != port {
				continue
			}
			if inSession(pid, leader) {
				return 0
			}
			found = pid
		}
	}
	return found
}

// portsOf returns the ports on which the session of the process listens.
func portsOf(leader int) []int {
	sockets := listeners()
	var ports []int
	for _, pid := range pids() {
		if !inSession(pid, leader) {
			continue
		}
		for _, open := range descriptors(pid) {
			if port, ok := sockets[open]; ok && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

func inSession(pid, leader int) bool {
	fields, err := stat(pid)
	return err == nil && fields[3] == strconv.Itoa(leader)
}

// listeners maps "socket:[inode]" to the TCP port on which it listens.
func listeners() map[string]int {
	const listening = "0A"
	found := map[string]int{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, _ := os.ReadFile(table)
		for line := range strings.Lines(string(raw)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				found["socket:["+fields[9]+"]"] = int(port)
			}
		}
	}
	return found
}

// commandName is what people know the process by.
func commandName(pid int) string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(raw))
}

// ephemeralFrom is the first port that the system gives to outgoing connections.
func ephemeralFrom() int {
	raw, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if fields := strings.Fields(string(raw)); len(fields) == 2 {
		if from, err := strconv.Atoi(fields[0]); err == nil {
			return from
		}
	}
	return 32768
}

// selfExecutable runs this very program again, also after its file was replaced by an upgrade.
func selfExecutable() string { return "/proc/self/exe" }

func fcntlDup(fd, from int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD, from) }
