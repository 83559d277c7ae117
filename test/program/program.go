// Package program runs a program as tests need it: started, killed, and started again.
//
//	server := &program.Program{Name: "server", Path: "bin/fairway", Dir: dir, Args: []string{"server"}}
//	err := server.Start()
//	server.Kill() // by SIGKILL
//	err = server.Start()
//
// It waits for nothing that the program does, and knows nothing of Fairway.
package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is safe for concurrent use; its fields do not change after the first Start.
type Program struct {
	// Name is what it is called; its output is kept in Name.log below Dir, where it runs.
	Name, Path, Dir string
	Args, Env       []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts it, for the first time or after its end. A key that interrupts the test does
// not reach it: who started it ends it.
func (p *Program) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.Dir, p.Env, log, log
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

// Kill ends it by SIGKILL and waits until it is gone. One that was never started, or has
// ended, is gone.
func (p *Program) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop asks it to end, by SIGTERM, and waits until it is gone, for at most so long. Where it is
// still there then, it is killed and the answer is false.
func (p *Program) Stop(within time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return true
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-p.ended:
		return true
	case <-limit.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	return false
}

// Ended is closed when it has ended as it runs now.
func (p *Program) Ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// Killed says whether it ended by SIGKILL, and how it ended. It must have ended.
func (p *Program) Killed() (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL, p.cmd.ProcessState.String()
}

// Tail is the end of what it has printed.
func (p *Program) Tail(lines int) string {
	text, _ := os.ReadFile(p.log())
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (p *Program) log() string { return filepath.Join(p.Dir, p.Name+".log") }
