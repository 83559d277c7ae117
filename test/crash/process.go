package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// process is the server or the worker: started, killed, started again.
type process struct {
	name, program, dir string
	args, env          []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

func (r *rig) process(name string, args ...string) *process {
	return &process{
		name: name, program: r.path("fairway"), dir: r.dir, args: args,
		env: append(os.Environ(), "FAIRWAY_CRASH_AIMS="+r.path("aims-"+name), "FAIRWAY_CRASH_TRACE="+r.path("trace")),
	}
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	p.cmd, p.ended = cmd, ended
	return nil
}

// kill kills it and waits until it is gone.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// end is closed when the process, as it runs now, has ended.
func (p *process) end() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// killed says whether the process ended by SIGKILL, and how it ended.
func (p *process) killed() (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL, p.cmd.ProcessState.String()
}

// aims is where the process reads what kills it, and what did.
func (r *rig) aimAt(p *process, cards []card) error {
	var text strings.Builder
	for _, c := range cards {
		text.WriteString(c.aim())
	}
	path := r.path("aims-" + p.name)
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// hit returns the ID of the card that killed the process, and all names of the
// point at which it died, and forgets them.
func (r *rig) hit(p *process) (id string, points []string) {
	path := r.path("aims-"+p.name) + ".hit"
	text, err := os.ReadFile(path)
	_ = os.Remove(path)
	if words := strings.Fields(string(text)); err == nil && len(words) > 0 {
		return words[0], words[1:]
	}
	return "", nil
}
