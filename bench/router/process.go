package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/router"
)

// process is a program that the benchmark started.
type process struct {
	cmd  *exec.Cmd
	done chan error
}

// launch starts a program on one core. A negative cpu is any.
func launch(cpu int, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	if cpu >= 0 {
		cmd = pinned(context.Background(), cpu, name, args...)
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return begin(cmd)
}

// pinned is a command on one core. As root it goes before whatever else the
// machine does, so that this disturbs the measurement less; all that is measured
// is started so.
func pinned(ctx context.Context, cpu int, name string, args ...string) *exec.Cmd {
	all := append([]string{"-c", fmt.Sprint(cpu), name}, args...)
	if os.Geteuid() == 0 {
		return exec.CommandContext(ctx, "nice", append([]string{"-n", "-15", "taskset"}, all...)...)
	}
	return exec.CommandContext(ctx, "taskset", all...)
}

func begin(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// stop asks the program to end and waits until it has.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// busy is the processor time that the program has spent so far.
func (p *process) busy() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the processor time of %s: %q", p.cmd.Path, raw)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	// The kernel counts in hundredths of a second, whatever its own tick is.
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}

// self starts this program in one of its roles.
func self(cpu int, role ...string) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(cpu, path, append([]string{"role"}, role...)...)
}

// startRouter starts a router on dir and waits until it answers. If one serves
// already, the new one takes over and the call returns when the old one ended.
func startRouter(ctx context.Context, cpu int, dir string, old *process) (*process, *router.Client, error) {
	p, err := self(cpu, "router", dir)
	if err != nil {
		return nil, nil, err
	}
	if old != nil {
		select {
		case err = <-old.done:
		case err = <-p.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("hand the router over: %w", err)
		}
	}
	c := router.NewClient(dir)
	return p, c, c.Ready(ctx)
}

// service is one instance of the benchmark's service.
type service struct {
	*process
	backend router.Backend
}

func startService(version string) (*service, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "role", "service", version)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("start service %s: %w", version, err)
	}
	b := router.Backend{Address: strings.TrimSpace(line), StartedAt: time.Now().UTC()}
	return &service{process: p, backend: b}, nil
}

// waitListening returns when something accepts connections on the address.
func waitListening(ctx context.Context, addr string, p *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s never listened on %s: %w", p.cmd.Path, addr, err)
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s ended: %v", p.cmd.Path, err)
		case <-tick.C:
		}
	}
}

// writeConfig writes a peer's configuration and returns its path.
func writeConfig(dir, name, content string) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(content), 0o600)
}
