package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// job runs a command to its end, and its undo when the environment goes back. A
// worker that dies in the middle runs it again, so the command must bear that.
type job struct{ Deps }

func (e *job) Tick(ctx context.Context, task Task) (Outcome, error) {
	command, what := task.Stage.Job.Command, "the command"
	if task.Undo {
		command, what = task.Stage.Job.Undo, "the undo command"
	}
	output, err := run(ctx, command, environ(task, task.Stage.Job.Env))
	switch {
	case ctx.Err() != nil:
		return Outcome{}, ctx.Err()
	case fault.CodeOf(err) == fault.Unavailable:
		return Outcome{}, err
	case err != nil:
		return Outcome{Status: Failed, Reason: fmt.Sprintf("%s %q failed: %s%s", what, strings.Join(command, " "), err, output)}, nil
	}
	return Outcome{Status: Passed, Reason: fmt.Sprintf("%s ended well", what), Progress: &Progress{Now: what + " ended well."}}, nil
}

// environ is what a command of the plan may know of the release.
func environ(task Task, more map[string]string) []string {
	env := append(os.Environ(),
		"FAIRWAY_RELEASE="+task.Release, "FAIRWAY_SERVICE="+task.Service, "FAIRWAY_ENVIRONMENT="+task.Environment,
		"FAIRWAY_VERSION="+task.Revision.Version, "FAIRWAY_REVISION="+task.Revision.ID,
		"FAIRWAY_DIGEST="+task.Revision.Artifact.Digest, "FAIRWAY_ARTIFACT="+task.Revision.Artifact.Ref,
	)
	for k, v := range more {
		env = append(env, k+"="+v)
	}
	return env
}

const (
	// killGrace is how long a command may take to end after SIGTERM.
	killGrace = 5 * time.Second
	// mostOutput is how many bytes of a command's last output are told.
	mostOutput = 2000
)

// run runs a command in a process group of its own and returns the end of what it
// printed. When ctx ends, the whole group is ended.
func run(ctx context.Context, command, env []string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killGrace
	output := &tail{most: mostOutput}
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what did not end by itself
	}
	printed := strings.TrimSpace(output.String())
	if printed != "" {
		printed = "; it printed: " + printed
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return printed, nil
	case errors.As(err, &exit):
		return printed, errors.New(exit.String())
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return printed, fault.Errorf(fault.Unavailable, "start the command: %w", err)
	default:
		return printed, fmt.Errorf("it could not be started: %w", err)
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	buf  bytes.Buffer
}

func (t *tail) Write(b []byte) (int, error) {
	t.buf.Write(b)
	if over := t.buf.Len() - t.most; over > 0 {
		t.buf.Next(over)
	}
	return len(b), nil
}

func (t *tail) String() string { return t.buf.String() }
