// Package fleet starts real servers and workers for benchmarks, and measures their processes.
// A benchmark that needs workers starts itself again for each of them; what they carry out
// is its own.
//
//	s := &fleet.Server{Fairway: "bin/fairway", Dir: dir, Database: url}
//	took, err := s.Start(ctx)
//	defer s.Stop()
//	m, err := fleet.MemoryOf(s.PID())
package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyWait is how long a server may take to be ready.
const readyWait = 30 * time.Second

// Server is one server, without a worker in its process.
type Server struct {
	// Fairway is the program, Dir the data folder, Database the PostgreSQL that servers
	// share; empty for a file in Dir.
	Fairway, Dir, Database string
	// Address is where it listens; empty takes a free one at the first start.
	Address string
	// Flags are more of them.
	Flags []string

	cmd *exec.Cmd
}

// Start runs the server until ctx ends or Stop is called, and returns how long it took to be
// ready.
func (s *Server) Start(ctx context.Context) (time.Duration, error) {
	var err error
	if s.Address == "" {
		if s.Address, err = FreeAddress(); err != nil {
			return 0, err
		}
	}
	args := append([]string{"server", "--no-worker", "--data-dir", s.Dir, "--listen", s.Address,
		"--log-level", "error", "--database", s.Database}, s.Flags...)
	s.cmd = exec.CommandContext(ctx, s.Fairway, args...)
	s.cmd.Stdout, s.cmd.Stderr = io.Discard, os.Stderr
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(began) < readyWait {
		answer, err := http.Get("http://" + s.Address + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return time.Since(began), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	s.Stop()
	return 0, fmt.Errorf("the server was not ready within %s", readyWait)
}

// Stop ends the server and waits for its end.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server in the middle of whatever it does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(signal syscall.Signal) {
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
}

// PID is the process of the last start.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// URL is where the API is.
func (s *Server) URL() string { return "http://" + s.Address }

// Token is the first admin's.
func (s *Server) Token() (string, error) {
	token, err := os.ReadFile(filepath.Join(s.Dir, "admin-token"))
	return strings.TrimSpace(string(token)), err
}

// Worker starts this program again as a worker of that name for the server. It is
// interrupted when ctx ends; the caller waits for it. What it prints goes to out.
func Worker(ctx context.Context, name, url, token string, out io.Writer, args ...string) (*exec.Cmd, error) {
	w := exec.CommandContext(ctx, os.Args[0], append([]string{"-as-worker", name, "-server", url}, args...)...)
	w.Env = append(os.Environ(), "FAIRWAY_TOKEN="+token)
	w.Stdout, w.Stderr = out, os.Stderr
	w.Cancel = func() error { return w.Process.Signal(os.Interrupt) }
	return w, w.Start()
}

// Memory is what a process has in memory, in MB of 10⁶ bytes.
type Memory struct {
	// Resident is all of it, also the pages of its program file, which the system drops
	// and reads again as it likes. Own is what the process has made.
	Resident, Own float64
}

// MemoryOf is the memory of the process.
func MemoryOf(pid int) (m Memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for name, into := range map[string]*float64{"VmRSS": &m.Resident, "RssAnon": &m.Own} {
		_, rest, _ := strings.Cut(string(status), "\n"+name+":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return m, fmt.Errorf("the system does not tell %s of process %d", name, pid)
		}
		kb, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return m, err
		}
		*into = kb * 1024 / 1e6
	}
	return m, nil
}

// FreeAddress is one of this machine that nobody listens on.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
