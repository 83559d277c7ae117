package command

import (
	"encoding/gob"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/secret"
)

// statusBusy is how a supervisor ends that gave way to another (EX_TEMPFAIL).
const statusBusy = 75

// Exec is the hidden command by which every command starts:
//
//	fairway command-exec --folder FOLDER < spec
//
// args are what follows "command-exec". The process locks FOLDER/lock for as long as
// it lives, writes its record, and only then starts the command and looks after it.
// So wherever the worker is killed, there is either no command or one that is found
// by its record, and a second start of the same one gives way.
func Exec(args []string) error {
	flags := flag.NewFlagSet("command-exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("folder", "", "")
	if err := flags.Parse(args); err != nil || *dir == "" || flags.NArg() > 0 {
		return fault.Errorf(fault.Invalid, "command-exec is called by Fairway itself: command-exec --folder FOLDER")
	}
	var spec Spec
	if err := gob.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return fault.Errorf(fault.Unavailable, "the worker ended before it had said what to run: %w", err)
	}
	s := &supervisor{dir: *dir, spec: spec, stop: make(chan os.Signal, 1)}
	// Before the record: from then on a worker may signal.
	signal.Notify(s.stop, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP)
	return s.run()
}

// supervisor looks after one command.
type supervisor struct {
	dir   string
	spec  Spec
	mask  *secret.Mask
	begun record
	stop  chan os.Signal
}

func (s *supervisor) run() error {
	err := process.HoldLock(lockPath(s.dir))
	if errors.Is(err, process.ErrLocked) {
		os.Exit(statusBusy)
	}
	if err != nil {
		return diskFault(err, s.dir)
	}
	if before, err := exists(recordPath(s.dir)); err != nil || before {
		os.Exit(statusBusy) // it has been begun, and is never begun twice
	}
	self, err := process.Identify(os.Getpid())
	if err != nil {
		return fault.Errorf(fault.Internal, "read the own start time: %w", err)
	}
	s.begun = record{Process: self, StartedAt: time.Now()}
	if err := process.WriteRecord(recordPath(s.dir), s.begun); err != nil {
		return diskFault(err, s.dir)
	}
	if stopped, err := exists(stoppedPath(s.dir)); err != nil || stopped {
		return s.finish(result{Stopped: true, How: "it was stopped before it began"})
	}
	s.mask = secret.NewMask(s.spec.Secrets)
	return s.finish(s.supervise())
}

// supervise runs the command to its end, and then ends what it left running.
func (s *supervisor) supervise() result {
	output := newTail(s.mask, outputPath(s.dir))
	cmd, err := s.start(output)
	if err != nil {
		return result{How: s.mask.Text("it could not be started: " + reason(err) + " (its working folder is " + s.spec.Dir + ")")}
	}
	if s.begun.Command, err = process.Identify(cmd.Process.Pid); err == nil {
		_ = process.WriteRecord(recordPath(s.dir), s.begun) // without it, a session is enough to find it
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped, err := s.await(cmd.Process.Pid, ended)
	output.drain()
	s.endRest(cmd.Process.Pid)
	return result{How: howEnded(err), Stopped: stopped, Output: output.close()}
}

// start starts the command in a process group of its own.
func (s *supervisor) start(output *tail) (*exec.Cmd, error) {
	if err := os.Chdir(s.spec.Dir); err != nil {
		return nil, err
	}
	if err := os.Setenv("PATH", s.spec.Env["PATH"]); err != nil { // where the program is looked for
		return nil, err
	}
	var env []string
	for name, value := range s.spec.Env {
		env = append(env, name+"="+value)
	}
	// What hinders a start for a moment is waited for.
	for pause := 2 * time.Millisecond; ; pause *= 2 {
		cmd := exec.Command(s.spec.Args[0], s.spec.Args[1:]...)
		cmd.Env, cmd.Dir = env, s.spec.Dir
		cmd.Stdout, cmd.Stderr = output.in, output.in
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		err := cmd.Start()
		passing := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ETXTBSY)
		if err == nil || !passing || pause > time.Second {
			_ = output.in.Close() // only the command, and what it starts, can write now
			return cmd, err
		}
		select {
		case sig := <-s.stop:
			s.stop <- sig
		case <-time.After(pause):
		}
	}
}

// await waits for the command's end. Asked to stop, it ends the whole group, by
// force where it must.
func (s *supervisor) await(group int, ended <-chan error) (stopped bool, err error) {
	var force <-chan time.Time
	for {
		select {
		case err := <-ended:
			return stopped, err
		case <-s.stop:
			if !stopped {
				_ = process.SignalGroup(group, syscall.SIGTERM)
				stopped, force = true, time.After(grace)
			}
		case <-force:
			_ = process.SignalGroup(group, syscall.SIGKILL)
		}
	}
}

// endRest ends what the command left running: its result is told now, and nothing of
// it may go on while it is undone.
func (s *supervisor) endRest(group int) {
	if runtime.GOOS != "linux" { // a session cannot be searched for there
		_ = process.SignalGroup(group, syscall.SIGKILL)
		return
	}
	endSession(s.begun.Process)
}

// finish writes the result. As long as the disk is full it tries again: a result
// must not be lost. In a folder that was forgotten nobody asks for it.
func (s *supervisor) finish(r result) error {
	r.EndedAt = time.Now()
	for {
		err := process.WriteRecord(resultPath(s.dir), r)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// howEnded is empty for status 0.
func howEnded(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// reason says why a program could not be started, without the names of calls.
func reason(err error) string {
	var notFound *exec.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &notFound):
		return notFound.Name + ": " + strings.TrimPrefix(notFound.Err.Error(), "exec: ")
	case errors.As(err, &path):
		return path.Path + ": " + path.Err.Error()
	}
	return err.Error()
}
