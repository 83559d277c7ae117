package rig

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/program"
)

// lease is how long a worker that was killed is waited for.
const lease = "5s"

// startFairway starts the server and, as a process of its own, the worker: what it costs
// can be measured, and it can be killed alone.
func (r *Rig) startFairway(ctx context.Context) error {
	binary, err := filepath.Abs(r.options.Fairway)
	if err != nil {
		return err
	}
	kubeconfig, err := r.Cluster.KubeconfigFor(User, "system:masters")
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	r.url = "http://" + address
	start := func(name string, args ...string) (*program.Program, error) {
		p := &program.Program{Name: name, Path: binary, Dir: r.dir, Args: args, Env: append(os.Environ(), "KUBECONFIG="+kubeconfig)}
		return p, p.Start()
	}
	flags := append([]string{"server", "--data-dir", r.path("server"), "--listen", address, "--no-worker", "--lease", lease}, r.options.Server...)
	if r.Server, err = start("server", flags...); err != nil {
		return err
	}
	if err := until(ctx, 30*time.Second, "the server is ready", func() error { return asked(ctx, r.url+"/readyz", address) }); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(r.path("server"), "admin-token"))
	if err != nil {
		return err
	}
	if r.API, err = client.New(client.Config{URL: r.url, Token: strings.TrimSpace(string(token))}); err != nil {
		return err
	}
	made, err := r.API.AddToken(ctx, client.NewToken{Name: "worker", Worker: true})
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.path("worker-token"), []byte(made.Secret), 0o600); err != nil {
		return err
	}
	r.Worker, err = start("worker", "worker", "--server", r.url, "--token-file", r.path("worker-token"), "--data-dir", r.path("worker"), "--name", "worker")
	r.options.Say("server and worker are started")
	return err
}

// Command is a person's command line on the server's machine.
func (r *Rig) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.Server.Path, args...)
	cmd.Env = append(r.Server.Env, "FAIRWAY_DATA_DIR="+r.path("server"), "FAIRWAY_SERVER="+r.url)
	return cmd
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
