package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit in which Linux counts processor time for programs.
const ticksPerSecond = 100

// CPU is the processor time of the process, its children and those of them that have ended.
func CPU(pid int) time.Duration {
	ticks := ticksOf(pid)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := statOf(path); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			ticks += ticksOf(child)
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

func ticksOf(pid int) (sum int) {
	fields := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	if len(fields) < 15 {
		return 0
	}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.Atoi(f)
		sum += n
	}
	return sum
}

// statOf returns what stands behind the name in a process's line: state, parent …
func statOf(path string) []string {
	line, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(line), ") ")
	return strings.Fields(rest)
}
