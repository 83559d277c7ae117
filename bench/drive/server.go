package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// server is a real server process on a folder.
type server struct {
	dir, address, token string
	database            string // empty for a file in dir
	pid                 int
	emptyMB, filledMB   float64
}

// fill starts a server, makes releases that wait for an approval, and measures its
// memory before and after.
func fill(ctx context.Context, c config, dir string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{dir: filepath.Join(dir, "server"), address: address}
	p, _, err := s.start(ctx, c.fairway)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if s.emptyMB, err = p.settled(); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(s.dir, "admin-token"))
	if err != nil {
		return nil, err
	}
	s.token = strings.TrimSpace(string(token))
	if err := s.create(ctx, c.waiting); err != nil {
		return nil, err
	}
	s.filledMB, err = p.settled()
	return s, err
}

const waitingDefinition = `service: service-%d
host: {run: ./shop, listen: "127.0.0.1:%d"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, canary, {watch: {for: 10m}}]
`

func (s *server) create(ctx context.Context, n int) error {
	api, err := client.New(client.Config{URL: "http://" + s.address, Token: s.token})
	if err != nil {
		return err
	}
	const callers = 8
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for k := i; k < n && errs[i] == nil; k += callers {
				_, errs[i] = api.Create(ctx, client.NewRelease{
					Definition: fmt.Sprintf(waitingDefinition, k, 10_000+k), Version: "v1",
					Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64),
				}, strconv.Itoa(k))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// process is one run of the server.
type process struct{ cmd *exec.Cmd }

// start runs the server and returns how long it took to be ready.
func (s *server) start(ctx context.Context, fairway string) (process, time.Duration, error) {
	cmd := exec.CommandContext(ctx, fairway, "server", "--no-worker", "--data-dir", s.dir, "--listen", s.address, "--log-level", "error",
		"--database", s.database)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return process{}, 0, err
	}
	p := process{cmd}
	for time.Since(began) < 30*time.Second {
		answer, err := http.Get("http://" + s.address + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return p, time.Since(began), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	p.stop()
	return process{}, 0, fmt.Errorf("the server was not ready within 30 s")
}

func (p process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// settleTime lets the process come to rest, so that garbage of the work before is
// not measured as what it holds.
const settleTime = 5 * time.Second

// settled is the resident memory of the process at rest, in MB of 10⁶ bytes.
func (p process) settled() (float64, error) {
	time.Sleep(settleTime)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n * 1024 / 1e6, err
		}
	}
	return 0, errors.New("the system does not tell the resident memory")
}

type started struct{ medianMS, longestMS, residentMB float64 }

// starts measures restarts on the filled store.
func starts(ctx context.Context, c config, s *server) (started, error) {
	var all []float64
	var out started
	for i := range c.starts {
		p, took, err := s.start(ctx, c.fairway)
		if err != nil {
			return out, err
		}
		all = append(all, float64(took.Microseconds())/1000)
		if i == c.starts-1 {
			out.residentMB, err = p.settled()
		}
		p.stop()
		if err != nil {
			return out, err
		}
	}
	slices.Sort(all)
	out.medianMS, out.longestMS = all[len(all)/2], all[len(all)-1]
	return out, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
