package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Freeze stops it where it is, by SIGSTOP, as a machine does that hangs: its connections stay
// open and nothing answers. It returns when every thread stands still, on Linux.
func (p *Program) Freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		switch still, err := stands(p.cmd.Process.Pid); {
		case err != nil || still:
			return err
		case time.Now().After(limit):
			return errors.New(p.Name + " does not stand still")
		}
	}
}

// Thaw lets it go on after Freeze.
func (p *Program) Thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

// stands tells whether all threads of the process are stopped.
func stands(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		stat, err := os.ReadFile(t)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil // it has ended just now
		}
		if err != nil {
			return false, err
		}
		// The name of the program, in brackets, may hold anything.
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if state, _, _ := strings.Cut(rest, " "); state != "T" {
			return false, nil
		}
	}
	return true, nil
}
