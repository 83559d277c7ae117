package program

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Resident is how much memory it has now, in bytes, together with all that it has started
// and what those have started. A page that several of them share counts for each.
func (p *Program) Resident() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := processes()
	if err != nil {
		return 0, err
	}
	sum := all.resident(p.cmd.Process.Pid)
	if sum == 0 {
		return 0, errors.New(p.Name + " has ended")
	}
	return sum, nil
}

// tree is all processes of the machine: how much memory each has, in bytes, and whom it
// has started.
type tree struct {
	memory  map[int]int64
	started map[int][]int
}

func processes() (tree, error) {
	all := tree{memory: map[int]int64{}, started: map[int][]int{}}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return all, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// One that cannot be read has ended meanwhile.
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			words := strings.Fields(line)
			if len(words) < 2 {
				continue
			}
			n, _ := strconv.Atoi(words[1])
			switch words[0] {
			case "PPid:":
				all.started[n] = append(all.started[n], pid)
			case "VmRSS:":
				all.memory[pid] = int64(n) << 10
			}
		}
	}
	return all, nil
}

func (t tree) resident(pid int) int64 {
	sum := t.memory[pid]
	for _, child := range t.started[pid] {
		sum += t.resident(child)
	}
	return sum
}
