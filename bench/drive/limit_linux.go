package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// limitCPU lets the process use so much of one core, in percent, and returns what takes
// the limit away again. It needs root and control groups.
func limitCPU(pid, percent int) (lift func(), err error) {
	own := fmt.Sprint("fairway-bench-", pid)
	v2 := filepath.Join("/sys/fs/cgroup", own)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return limitBy(v2, pid, map[string]string{"cpu.max": fmt.Sprintf("%d 20000", percent*200)})
	}
	v1 := filepath.Join("/sys/fs/cgroup/cpu", own)
	return limitBy(v1, pid, map[string]string{"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": strconv.Itoa(percent * 200)})
}

func limitBy(dir string, pid int, settings map[string]string) (func(), error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	lift := func() {
		parent := filepath.Join(filepath.Dir(dir), "cgroup.procs")
		if pids, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err == nil {
			for _, p := range strings.Fields(string(pids)) {
				_ = os.WriteFile(parent, []byte(p), 0o644)
			}
		}
		_ = os.Remove(dir)
	}
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o644); err != nil {
			lift()
			return nil, fmt.Errorf("limit the server's share of a core: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		lift()
		return nil, err
	}
	return lift, nil
}
