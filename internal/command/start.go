package command

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
)

// startsWithin is how long a supervisor may take to write its record.
const startsWithin = 15 * time.Second

// Start runs the command, unless what has the ID runs, has ended, or was stopped.
// It returns once the command can be observed.
func (c *Commands) Start(ctx context.Context, id string, spec Spec) error {
	if len(spec.Args) == 0 {
		return fault.Errorf(fault.Invalid, "there is no command to run")
	}
	_ = c.Prune() // what cannot be removed only takes room
	dir := c.dir(id)
	if err := os.MkdirAll(workPath(dir), 0o700); err != nil {
		return diskFault(err, dir)
	}
	if spec.Dir == "" {
		spec.Dir = workPath(dir)
	}
	if s, err := c.Observe(id); err != nil || s.Phase != None {
		return err
	}
	ended, err := c.spawn(dir, spec)
	if err != nil {
		return err
	}
	return awaitRecord(ctx, dir, ended)
}

// spawn forks the supervisor, in a session of its own, so that neither the worker's
// end nor a signal to its terminal reaches it, and hands the command over. A worker
// that dies before all is said leaves a supervisor that has heard nothing, and ends.
func (c *Commands) spawn(dir string, spec Spec) (ended <-chan error, err error) {
	log, err := os.OpenFile(logPath(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, diskFault(err, dir)
	}
	defer func() { _ = log.Close() }()
	args := append(append([]string{}, c.config.ExecCommand...), "--folder", dir)
	supervisor := exec.Command(args[0], args[1:]...)
	supervisor.Env = []string{}
	supervisor.Stderr = log
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := supervisor.StdinPipe()
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "start the command: %w", err)
	}
	if err := supervisor.Start(); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "start the command: %w", err)
	}
	_ = gob.NewEncoder(pipe).Encode(spec) // a supervisor that did not hear it all says so
	_ = pipe.Close()
	done := make(chan error, 1)
	go func() { done <- supervisor.Wait() }() // reaps it if it ends before this process
	return done, nil
}

// awaitRecord returns once the command can be observed, by the doing of this
// supervisor or of an earlier one to which it gave way.
func awaitRecord(ctx context.Context, dir string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	for {
		begun, err := exists(recordPath(dir))
		if err != nil || begun {
			return diskFault(err, dir)
		}
		select {
		case err := <-ended:
			return earlyEnd(dir, err)
		default:
		}
		if err := process.Wait(ctx, 2*time.Millisecond); err != nil {
			return fault.Errorf(fault.Unavailable, "start the command: it wrote no record: %w", err)
		}
	}
}

// earlyEnd deals with a supervisor that ended before its record was seen.
func earlyEnd(dir string, ended error) error {
	var exit *exec.ExitError
	if ended == nil || errors.As(ended, &exit) && exit.ExitCode() == statusBusy {
		return nil
	}
	if begun, err := exists(recordPath(dir)); err != nil || begun {
		return diskFault(err, dir)
	}
	said, _ := os.ReadFile(logPath(dir))
	lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
	return fault.Errorf(fault.Unavailable, "start the command: %w: %s", ended, strings.TrimSpace(string(lines[len(lines)-1])))
}
