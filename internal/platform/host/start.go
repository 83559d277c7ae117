package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
)

// start brings one instance up and returns once its process has written its
// record. It is a success when the instance already runs, also by the doing of
// a worker that is dead by now. The caller holds the target's lock.
func (p *Platform) start(ctx context.Context, i instance) error {
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		return diskFault(err, i.dir)
	}
	former, running, err := p.settled(ctx, i)
	if err != nil || running {
		return err
	}
	child, err := p.spawn(ctx, i, former.Port)
	if err != nil {
		return err
	}
	return p.awaitRecord(ctx, i, former, child)
}

// settled waits until the instance is either running with its record or certainly not there.
func (p *Platform) settled(ctx context.Context, i instance) (former record, running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.LockWait)
	defer cancel()
	for begin := time.Now(); ; {
		overdue := time.Since(begin) > p.config.LockWait/3 // read first: after a stall the record is old news
		former, found, err := i.record()
		if err != nil || found && former.Alive() {
			return former, err == nil, err
		}
		unlock, err := tryLock(i.lockPath(), syscall.LOCK_EX)
		if err == nil {
			// With the lock in hand nobody else can become the instance meanwhile.
			former, found, err = i.record()
			if err != nil || found && former.Alive() {
				unlock()
				return former, err == nil, err
			}
			process.Sweep("", former.Process)
			unlock()
			return former, false, nil
		}
		if !errors.Is(err, process.ErrLocked) {
			return former, false, err
		}
		// Somebody holds the lock and no record is alive: a child that the dead
		// instance left behind, or one that is about to write its record and gets time.
		lock := ""
		if overdue {
			lock = i.lockPath()
		}
		process.Sweep(lock, former.Process)
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return former, false, fault.Errorf(fault.Unavailable, "an earlier process of instance %d does not end: %w", i.slot+1, err)
		}
	}
}

// spawn forks the process that becomes the instance, in a session of its own,
// so that neither the worker's end nor a signal to its terminal reaches it.
func (p *Platform) spawn(ctx context.Context, i instance, formerPort int) (int, error) {
	port, err := p.choosePort(ctx, formerPort)
	if err != nil {
		return 0, err
	}
	dir := filepath.Dir(filepath.Dir(i.dir))
	values := map[string]string{"PORT": strconv.Itoa(port), "HOST": loopback, "ARTIFACT": artifactIn(dir, i.revision)}
	env, err := environ(i.settings, i.revision, values)
	if err != nil {
		return 0, err
	}
	args := append([]string{}, p.config.ExecCommand...)
	args = append(args, "--record", i.recordPath(), "--port", values["PORT"], "--")
	for _, word := range i.settings.Run {
		args = append(args, expand(word, values))
	}
	out, err := openLog(i.logPath())
	if err != nil {
		return 0, err
	}
	defer func() { _ = out.Close() }()
	none, err := os.Open(os.DevNull)
	if err != nil {
		return 0, diskFault(err, os.DevNull)
	}
	defer func() { _ = none.Close() }()

	child, err := os.StartProcess(args[0], args, &os.ProcAttr{
		Dir: workDir(dir), Env: env, Files: []*os.File{none, out, out}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fault.Errorf(fault.Unavailable, "start an instance of %s: %w", i.revision.ID, err)
	}
	pid := child.Pid
	_ = child.Release() // it is reaped by pid, by whichever worker's look finds it dead
	return pid, nil
}

// awaitRecord returns once a life newer than the former one is recorded: the
// child's, or that of an earlier child to which it gave way. A child that ends
// without a record has said why in the log.
func (p *Platform) awaitRecord(ctx context.Context, i instance, former record, child int) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.LockWait)
	defer cancel()
	for gone := false; ; {
		r, found, err := i.record()
		if err != nil {
			return err
		}
		if newer := found && r.Process != former.Process; newer && (gone || r.PID == child || r.Alive()) {
			return nil
		}
		if ended := collect(child); ended != "" {
			gone = true
			if err := p.earlyEnd(i, child, ended); err != nil {
				return err
			}
			continue
		}
		if err := wait(ctx, 2*time.Millisecond); err != nil {
			return fault.Errorf(fault.Unavailable, "start an instance of %s: it wrote no record: %w", i.revision.ID, err)
		}
	}
}

// earlyEnd deals with a child that ended before its record was seen here. With a
// record it was an instance, and its status must not get lost; without one it
// either gave way to another start or has said in the log what it lacked.
func (p *Platform) earlyEnd(i instance, child int, ended string) error {
	r, found, err := i.record()
	if err != nil {
		return err
	}
	if found && r.PID == child {
		return writeJSON(i.exitPath(), exit{Process: r.Process, Status: ended, At: p.config.Now()})
	}
	if ended == "status "+strconv.Itoa(statusBusy) {
		return nil
	}
	tail, _ := i.tail(3)
	return fault.Errorf(fault.Unavailable, "start an instance of %s: the launcher ended with %s: %s", i.revision.ID, ended, strings.Join(tail, " "))
}
