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
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
)

// server is a real server process with its worker, on a folder of its own.
type server struct {
	dir, definition string
	cmd             *exec.Cmd
	api             *client.Client
}

func startServer(ctx context.Context, c config) (*server, error) {
	text, err := os.ReadFile(c.definition)
	if err != nil {
		return nil, err
	}
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
	s := &server{dir: dir, definition: string(text)}
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
	s.stop(0)
	return nil, fmt.Errorf("the server did not come up; see %s", log.Name())
}

// stop ends the services of the lanes, the server, and the router.
func (s *server) stop(lanes int) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := router.NewClient(filepath.Join(s.dir, "router"))
	if p, err := host.New(host.Config{StateDir: filepath.Join(s.dir, "host"), Router: r, Log: slog.New(slog.DiscardHandler)}); err == nil {
		for i := range lanes {
			_ = platform.Clear(ctx, p, platform.Target{Service: laneName(i), Environment: "production"}, "the end of the benchmark")
		}
	}
	if h, err := r.Health(ctx); err == nil && h.PID != 0 {
		_ = syscall.Kill(h.PID, syscall.SIGTERM)
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
