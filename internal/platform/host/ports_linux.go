package host

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/fairwayhq/fairway/internal/process"
)

// stranger returns the process that listens on the port in place of the leader's
// session, 0 when there is none or it cannot be told.
func stranger(port, leader int) int {
	sockets, found := listeners(), 0
	for _, pid := range process.All() {
		for _, open := range process.Descriptors(pid) {
			if sockets[open] != port {
				continue
			}
			if process.InSession(pid, leader) {
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
	for _, pid := range process.All() {
		if !process.InSession(pid, leader) {
			continue
		}
		for _, open := range process.Descriptors(pid) {
			if port, ok := sockets[open]; ok && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
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
