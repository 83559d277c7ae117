//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// children are the processes that were asked for. Besides them the first process gets
// all orphans of the sandbox, so it waits for whoever ends and not for one of them;
// os/exec would take its dead away.
type children struct {
	mu    sync.Mutex
	say   *json.Encoder
	names map[int]string
	died  chan os.Signal
}

func newChildren(say *json.Encoder) *children {
	return &children{say: say, names: map[int]string{}, died: make(chan os.Signal, 1)}
}

// start begins a process and answers.
func (c *children) start(p sandbox.Process, log string) {
	// Who ends at once must find its name written.
	c.mu.Lock()
	pid, err := fork(p, log)
	if err == nil {
		c.names[pid] = p.Name
	}
	c.mu.Unlock()
	r := sandbox.Report{Name: p.Name}
	if err != nil {
		r.Error = err.Error()
	}
	c.answer(r)
}

// kill ends a process at once, and answers; that it has ended is reported like any end.
func (c *children) kill(name string) {
	r := sandbox.Report{Name: name, Error: "no process of that name runs"}
	// Who is in the list was not waited for yet, so the number is still its own.
	c.mu.Lock()
	for pid, n := range c.names {
		if n != name {
			continue
		}
		r.Error = ""
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			r.Error = err.Error()
		}
	}
	c.mu.Unlock()
	c.answer(r)
}

func (c *children) answer(r sandbox.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.say.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
}

// bury waits for the dead as long as the process lives.
func (c *children) bury() {
	signal.Notify(c.died, syscall.SIGCHLD)
	for ; ; <-c.died {
		for c.buryOne() {
		}
	}
}

func (c *children) buryOne() bool {
	c.mu.Lock()
	var how syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &how, syscall.WNOHANG, nil)
	name, ours := c.names[pid]
	delete(c.names, pid)
	c.mu.Unlock()
	if err != nil || pid <= 0 {
		return err == syscall.EINTR
	}
	if ours {
		fmt.Fprintln(os.Stderr, name, "ended", describe(how))
		c.answer(sandbox.Report{Name: name, Ended: describe(how)})
	}
	return true
}

func describe(how syscall.WaitStatus) string {
	if how.Signaled() {
		return "by signal: " + how.Signal().String()
	}
	return fmt.Sprintf("with exit code %d", how.ExitStatus())
}

func fork(p sandbox.Process, log string) (int, error) {
	path, err := exec.LookPath(p.Args[0])
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	return syscall.ForkExec(path, p.Args, &syscall.ProcAttr{
		Dir:   "/",
		Env:   append(os.Environ(), p.Env...),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}
