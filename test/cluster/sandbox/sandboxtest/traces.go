//go:build linux

// Package sandboxtest looks for what a sandbox might leave behind.
package sandboxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// Traces are what is there because of a sandbox.
type Traces struct {
	Processes  []process.Process
	Namespaces []string // as links in /proc name them, such as net:[4026532000]

	// Dir and Cgroup are the sandbox's.
	Dir, Cgroup string
}

// Of finds the traces of a sandbox that runs: those of its first process and of all
// that descend from it, whatever namespaces they have gone into.
func Of(t testing.TB, pid int, dir, cgroup string) Traces {
	t.Helper()
	traces := Traces{Dir: dir, Cgroup: cgroup}
	own := namespacesOf(os.Getpid())
	for _, pid := range descendants(pid) {
		p, err := process.Identify(pid)
		if err != nil {
			continue // it has just ended
		}
		traces.Processes = append(traces.Processes, p)
		for _, n := range namespacesOf(pid) {
			if !slices.Contains(own, n) && !slices.Contains(traces.Namespaces, n) {
				traces.Namespaces = append(traces.Namespaces, n)
			}
		}
	}
	return traces
}

// MustBeGone waits a moment for the last of them to go, and fails the test if
// something stays.
func (tr Traces) MustBeGone(t testing.TB) {
	t.Helper()
	const limit, pause = 10 * time.Second, 20 * time.Millisecond
	var left []string
	for begin := time.Now(); time.Since(begin) < limit; time.Sleep(pause) {
		if left = tr.left(); len(left) == 0 {
			return
		}
	}
	t.Errorf("the sandbox has left\n%s", strings.Join(left, "\n"))
}

func (tr Traces) left() []string {
	var left []string
	for _, p := range tr.Processes {
		if now, err := process.Identify(p.PID); err == nil && now.Start == p.Start {
			left = append(left, fmt.Sprintf("process %d", p.PID))
		}
	}
	for _, pid := range process.All() {
		for _, n := range append(namespacesOf(pid), filesOf(pid)...) {
			if slices.Contains(tr.Namespaces, n) {
				left = append(left, fmt.Sprintf("namespace %s, held by process %d", n, pid))
			}
		}
		mounts, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if strings.Contains(string(mounts), tr.Dir) {
			left = append(left, fmt.Sprintf("a mount of %s, seen by process %d", tr.Dir, pid))
		}
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*" + tr.Cgroup)
	own, _ := filepath.Glob("/sys/fs/cgroup" + tr.Cgroup)
	for _, g := range append(groups, own...) {
		left = append(left, "control group "+g)
	}
	return left
}

func descendants(top int) []int {
	children := map[int][]int{}
	for _, pid := range process.All() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The parent is the second field after the name, which is in brackets.
		_, after, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
		if fields := strings.Fields(after); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], pid)
		}
	}
	found := []int{top}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

func namespacesOf(pid int) []string { return links(fmt.Sprintf("/proc/%d/ns", pid)) }

func filesOf(pid int) []string { return links(fmt.Sprintf("/proc/%d/fd", pid)) }

func links(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var found []string
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			found = append(found, to)
		}
	}
	return found
}

// saying is how a process that started a sandbox says which, for KillStarter.
const saying = "sandbox %d %s %s\n"

// Say tells KillStarter of a sandbox; to be called by the command that it runs.
func Say(pid int, dir, cgroup string) { fmt.Printf(saying, pid, dir, cgroup) }

// KillStarter runs a command that starts a sandbox and Says so, kills it without warning,
// and fails the test if anything of the sandbox stays.
func KillStarter(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir, cgroup string
	_, err = fmt.Fscanf(out, saying, &pid, &dir, &cgroup)
	var traces Traces
	if err == nil {
		traces = Of(t, pid, dir, cgroup)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		t.Fatalf("the starter has not said what it started: %v", err)
	}
	traces.MustBeGone(t)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}
