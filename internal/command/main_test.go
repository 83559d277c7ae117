package command_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
)

// The test binary plays every part that has to be a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "command-exec":
			fail(command.Exec(os.Args[2:]))
		case "slow-command-exec": // leaves a worker time to be killed between fork and record
			time.Sleep(300 * time.Millisecond)
			fail(command.Exec(os.Args[2:]))
		case "collecting-command-exec": // what it drops is collected at once
			go func() {
				for range time.Tick(5 * time.Millisecond) {
					runtime.GC()
				}
			}()
			fail(command.Exec(os.Args[2:]))
		case "worker":
			fail(work(os.Args[2], os.Args[3], os.Args[4]))
		}
	}
	os.Exit(m.Run())
}

func fail(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// work is what a worker does about the command "job", from whatever point it finds:
// it runs the script and waits for its end.
func work(folder, execName, script string) error {
	c, err := command.Open(command.Config{Folder: folder, ExecCommand: []string{os.Args[0], execName}})
	if err != nil {
		return err
	}
	_, err = carryOut(context.Background(), c, "job", shell(script))
	return err
}

func carryOut(ctx context.Context, c *command.Commands, id string, spec command.Spec) (command.State, error) {
	for {
		s, err := c.Observe(id)
		if err != nil || s.Phase != command.None && s.Phase != command.Running {
			return s, err
		}
		if s.Phase == command.None {
			if err := c.Start(ctx, id, spec); err != nil {
				return s, err
			}
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func shell(script string) command.Spec {
	return command.Spec{Args: []string{"sh", "-c", script}, Env: map[string]string{"PATH": os.Getenv("PATH")}}
}

// rig is a machine: a folder, and the commands in it.
type rig struct {
	*command.Commands
	t      *testing.T
	folder string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "commands")
	r := &rig{t: t, folder: folder}
	r.Commands = r.open(command.Config{})
	t.Cleanup(func() {
		for _, pid := range r.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return r
}

// open is a worker's start: others on the same folder.
func (r *rig) open(c command.Config) *command.Commands {
	r.t.Helper()
	c.Folder = r.folder
	if c.ExecCommand == nil {
		c.ExecCommand = []string{os.Args[0], "command-exec"}
	}
	commands, err := command.Open(c)
	if err != nil {
		r.t.Fatal(err)
	}
	return commands
}

// run runs a command to its end.
func (r *rig) run(id string, spec command.Spec) command.State {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	s, err := carryOut(ctx, r.Commands, id, spec)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) start(id string, spec command.Spec) {
	r.t.Helper()
	if err := r.Start(r.t.Context(), id, spec); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop(id string) {
	r.t.Helper()
	if err := r.Stop(r.t.Context(), id); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) observe(id string) command.State {
	r.t.Helper()
	s, err := r.Observe(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// processes returns everything that runs with this rig's folder in its environment
// or its arguments: workers, supervisors, commands.
func (r *rig) processes() []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if strings.Contains(string(cmdline)+string(environ), r.folder) {
			found = append(found, pid)
		}
	}
	return found
}

// marked is a command whose processes, and those that it starts, are found by processes.
func (r *rig) marked(script string) command.Spec {
	s := shell(script)
	s.Env["RIG"] = r.folder
	return s
}

// effects is a file beside the folder, and how often it was written to.
func (r *rig) effects() (path string, count func() int) {
	path = r.folder + ".effects"
	return path, func() int {
		raw, _ := os.ReadFile(path)
		return strings.Count(string(raw), "\n")
	}
}

// worker starts a worker process.
func (r *rig) worker(execName, script string) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command(os.Args[0], "worker", r.folder, execName, script)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd
}

// eventually waits for a condition, not for a time.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}
