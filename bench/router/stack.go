package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
)

// stack is all of Fairway as its users run it: a server, a worker of its own, the
// router, and a shop whose own answers never fail.
type stack struct {
	dir, fairway string
	shops        []artifact
	next         int
	definition   string
	server       *fleet.Server
	worker       *exec.Cmd
	api          *client.Client
}

type artifact struct{ version, path, digest string }

// failedByStack plays deploys, rollbacks and restarts of every process under 500
// requests a second and counts what fails.
func failedByStack(ctx context.Context, o options) ([]bar.Bar, error) {
	s, err := startStack(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	address, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	s.definition = fmt.Sprintf(stackDefinition, address)
	if err := s.deploy(ctx); err != nil {
		return nil, err
	}
	l, err := load.New(load.Config{URL: "http://" + address + "/", Rate: 500, Requests: o.requests})
	if err != nil {
		return nil, err
	}
	reports := make(chan load.Report, 1)
	go func() { reports <- l.Run(ctx) }()
	played := map[string]int{}
	for i := 0; ; i++ {
		select {
		case r := <-reports:
			fmt.Printf("%d requests in %.0f s over %v; %d failed %v\n", r.Requests, r.Seconds, played, r.Failed, r.Transport)
			if r.Requests < o.requests {
				return nil, fmt.Errorf("only %d of %d requests were sent", r.Requests, o.requests)
			}
			return []bar.Bar{bar.AtMost("failed_requests", float64(r.Failed), "requests", 0)}, nil
		default:
		}
		step := stackSteps[i%len(stackSteps)]
		if err := step.run(s, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		played[step.name]++
	}
}

// stackSteps are played in turn until the load is over.
var stackSteps = []struct {
	name string
	run  func(*stack, context.Context) error
}{
	{"deploy", (*stack).deploy},
	{"restart the server", func(s *stack, ctx context.Context) error { return s.restartServer(ctx, (*fleet.Server).Stop) }},
	{"roll back", (*stack).rollBack},
	{"restart the router", (*stack).restartRouter},
	{"deploy", (*stack).deploy},
	{"restart the worker", func(s *stack, ctx context.Context) error { return s.restartWorker(syscall.SIGTERM) }},
	{"kill the server", func(s *stack, ctx context.Context) error { return s.restartServer(ctx, (*fleet.Server).Kill) }},
	{"roll back", (*stack).rollBack},
	{"kill the worker", func(s *stack, ctx context.Context) error { return s.restartWorker(syscall.SIGKILL) }},
}

const stackDefinition = `service: shop
host:
  run: $ARTIFACT -port $PORT
  listen: "%s"
  ready: /healthz
  instances: 2
environments:
  - name: production
    stages: [{promote: {strategy: rolling, batches: 2, pause: 500ms}}]
`

func startStack(ctx context.Context, o options) (*stack, error) {
	s := &stack{dir: filepath.Join(o.dir, "stack"), fairway: filepath.Join(o.dir, "fairway")}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := build(ctx, s.fairway, "", "./cmd/fairway"); err != nil {
		return nil, err
	}
	for _, version := range []string{"a", "b"} {
		path := filepath.Join(o.dir, "shop-"+version)
		if err := build(ctx, path, "-X main.baseErrorRate=0 -X main.version="+version, "./examples/shop"); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		s.shops = append(s.shops, artifact{version, path, "sha256:" + hex.EncodeToString(sum[:])})
	}
	s.server = &fleet.Server{Fairway: s.fairway, Dir: filepath.Join(s.dir, "server")}
	if err := s.startServer(ctx); err != nil {
		return nil, err
	}
	made, err := s.api.AddToken(ctx, client.NewToken{Name: "worker", Worker: true})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "worker-token"), []byte(made.Secret), 0o600); err != nil {
		return nil, err
	}
	return s, s.startWorker()
}

func build(ctx context.Context, to, flags, pkg string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-ldflags", flags, "-o", to, pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return nil
}

func (s *stack) run(args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, args[0]+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.fairway, args...)
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, cmd.Start()
}

func (s *stack) startServer(ctx context.Context) error {
	if _, err := s.server.Start(ctx); err != nil {
		return err
	}
	token, err := s.server.Token()
	if err != nil {
		return err
	}
	s.api, err = client.New(client.Config{URL: s.server.URL(), Token: token})
	return err
}

func (s *stack) startWorker() (err error) {
	s.worker, err = s.run("worker", "--server", s.server.URL(), "--token-file", filepath.Join(s.dir, "worker-token"),
		"--name", "w1", "--data-dir", s.workerDir())
	return err
}

func (s *stack) workerDir() string { return filepath.Join(s.dir, "worker") }

func end(cmd *exec.Cmd, signal syscall.Signal) {
	_ = cmd.Process.Signal(signal)
	_ = cmd.Wait()
}

func (s *stack) restartServer(ctx context.Context, end func(*fleet.Server)) error {
	end(s.server)
	return s.startServer(ctx)
}

func (s *stack) restartWorker(signal syscall.Signal) error {
	end(s.worker, signal)
	return s.startWorker()
}

// restartRouter starts a second router, which takes the first one's place.
func (s *stack) restartRouter(ctx context.Context) error {
	r := router.NewClient(filepath.Join(s.workerDir(), "router"))
	before, err := r.Health(ctx)
	if err != nil {
		return err
	}
	cmd, err := s.run("router", "--state-dir", filepath.Join(s.workerDir(), "router"))
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	for range 200 {
		if now, err := r.Health(ctx); err == nil && now.PID != before.PID {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("no second router took over")
}

// deploy ships the version that is not at home.
func (s *stack) deploy(ctx context.Context) error {
	s.next = (s.next + 1) % len(s.shops)
	id, err := s.create(ctx, s.shops[s.next])
	if err != nil {
		return err
	}
	return s.await(ctx, id, pipeline.RunSucceeded)
}

// rollBack ships the other version and takes it back once it is at home.
func (s *stack) rollBack(ctx context.Context) error {
	id, err := s.create(ctx, s.shops[(s.next+1)%len(s.shops)])
	if err != nil {
		return err
	}
	if err := s.await(ctx, id, pipeline.RunSucceeded); err != nil {
		return err
	}
	if _, err := s.api.Rollback(ctx, id, client.Rollback{Reason: "benchmark"}); err != nil {
		return err
	}
	return s.await(ctx, id, pipeline.RunRolledBack)
}

func (s *stack) create(ctx context.Context, a artifact) (string, error) {
	made, err := s.api.Create(ctx, client.NewRelease{Definition: s.definition, Version: a.version, Artifact: a.path, Digest: a.digest}, ulid.Make().String())
	return made.ID, err
}

func (s *stack) await(ctx context.Context, id string, want pipeline.RunState) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		r, err := s.api.Release(ctx, id)
		switch {
		case err != nil:
			return err
		case r.State == want:
			return nil
		case r.State.Final() && r.State != pipeline.RunSucceeded:
			return fmt.Errorf("the release is %s: %s", r.State, r.Headline)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// stop takes everything away that the stack started.
func (s *stack) stop() {
	end(s.worker, syscall.SIGTERM)
	s.server.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := router.NewClient(filepath.Join(s.workerDir(), "router"))
	t := platform.Target{Service: "shop", Environment: "production"}
	p, err := host.New(host.Config{StateDir: filepath.Join(s.workerDir(), "host"), Router: r, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = platform.Clear(ctx, p, t, "the end of the benchmark")
	}
	if h, err := r.Health(ctx); err == nil && h.PID != 0 {
		_ = syscall.Kill(h.PID, syscall.SIGTERM)
	}
}
