package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
)

// server is a real server process with its worker, on a folder of its own.
type server struct {
	dir, artifacts string
	keep           bool
	cmd            *exec.Cmd
	api            *client.Client

	mu       sync.Mutex
	services []string // what stop has to end
}

func startServer(ctx context.Context, c config) (*server, error) {
	dir, err := os.MkdirTemp("", "fairway-bench-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &server{dir: dir, artifacts: c.artifacts, keep: c.keep}
	s.cmd = exec.Command(c.fairway, "server", "--data-dir", dir, "--listen", address)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 300 {
		if token, err := os.ReadFile(filepath.Join(dir, "admin-token")); err == nil && len(token) > 0 {
			s.api, err = client.New(client.Config{URL: "http://" + address, Token: strings.TrimSpace(string(token))})
			if err != nil {
				return nil, err
			}
			if _, err := s.api.Me(ctx); err == nil {
				return s, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("the server did not come up; see %s", log.Name())
}

// stop ends the server, the services of the lanes, and the router.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := router.NewClient(filepath.Join(s.dir, "router"))
	if p, err := host.New(host.Config{StateDir: filepath.Join(s.dir, "host"), Router: r, Log: slog.New(slog.DiscardHandler)}); err == nil {
		for _, name := range s.services {
			_ = platform.Clear(ctx, p, platform.Target{Service: name, Environment: "production"}, "the end of the benchmark")
		}
	}
	if h, err := r.Health(ctx); err == nil && h.PID != 0 {
		_ = syscall.Kill(h.PID, syscall.SIGTERM)
	}
	if s.keep {
		fmt.Printf("the server's data is in %s\n", s.dir)
		return
	}
	_ = os.RemoveAll(s.dir)
}

func digestOf(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w; `make build` makes it", err)
	}
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
