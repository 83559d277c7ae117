package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
	"github.com/fairwayhq/fairway/internal/router"
)

var shop = platform.Target{Service: "shop", Environment: "production"}

// rig is a machine: a state folder, a real router, and a platform over both.
type rig struct {
	*host.Platform
	t      *testing.T
	dir    string
	client *router.Client
	lease  platform.Lease
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "fw") // short: the router's sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, client: startRouter(t, dir), lease: platform.Lease{Fence: 1, Holder: "test"}}
	r.Platform = r.open(host.Config{})
	t.Cleanup(func() { r.killAll(); _ = os.RemoveAll(dir) })
	return r
}

func startRouter(t *testing.T, dir string) *router.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	state := filepath.Join(dir, "router")
	go func() {
		done <- router.Run(ctx, router.Config{StateDir: state, DrainTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("router: %v", err)
		}
	})
	client := router.NewClient(state)
	ready, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := client.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return client
}

// open is a worker's start: another platform on the same state.
func (r *rig) open(c host.Config) *host.Platform {
	r.t.Helper()
	c.StateDir, c.Router = filepath.Join(r.dir, "host"), r.client
	if c.ExecCommand == nil {
		c.ExecCommand = []string{os.Args[0], "host-exec"}
	}
	if c.Interval == 0 {
		c.Interval = 20 * time.Millisecond
	}
	p, err := host.New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// keep runs the keeper until the test ends.
func (r *rig) keep(p *host.Platform) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Keep(ctx); close(done) }()
	r.t.Cleanup(func() { cancel(); <-done })
}

type recordFile struct {
	path string
	PID  int `json:"pid"`
	Port int `json:"port"`
}

func (r *rig) records() []recordFile {
	paths, _ := filepath.Glob(filepath.Join(r.dir, "host/targets/*/revisions/*/instances/*/record.json"))
	var all []recordFile
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		f := recordFile{path: path}
		if err == nil && json.Unmarshal(raw, &f) == nil {
			all = append(all, f)
		}
	}
	return all
}

func (r *rig) killAll() {
	for _, f := range r.records() {
		if f.PID > 1 {
			_ = syscall.Kill(-f.PID, syscall.SIGKILL)
			_, _ = syscall.Wait4(f.PID, nil, 0, nil)
		}
	}
}

// settings of a revision in the given mode of the test service.
func settings(mode string, change ...func(map[string]any)) []byte {
	s := map[string]any{
		"run": []string{"$ARTIFACT", mode, "$PORT"}, "listen": "127.0.0.1:0",
		"ready":       map[string]any{"path": "/healthz", "timeout": "10s", "interval": "10ms"},
		"stopTimeout": "2s", "drain": "2s",
	}
	for _, c := range change {
		c(s)
	}
	raw, _ := json.Marshal(s)
	return raw
}

func with(key string, value any) func(map[string]any) {
	return func(s map[string]any) { s[key] = value }
}

// revision makes an artifact of its own, so that every version has its digest.
func (r *rig) revision(version, mode string, change ...func(map[string]any)) platform.Revision {
	r.t.Helper()
	content := fmt.Sprintf("#!/bin/sh\n# %s\nexec %s service \"$@\"\n", version, os.Args[0])
	path := filepath.Join(r.dir, "built-"+version)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return platform.Revision{
		ID: "shop@" + version, Version: version, Settings: settings(mode, change...),
		Artifact: platform.Artifact{Ref: path, Digest: digest([]byte(content))},
	}
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func (r *rig) place(revision platform.Revision, instances int) {
	r.t.Helper()
	if err := r.Place(r.t.Context(), r.lease, shop, revision, platform.Capacity{Instances: instances}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) observe() platform.State {
	r.t.Helper()
	s, err := r.Observe(r.t.Context(), shop)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// ready places and waits until all instances are ready.
func (r *rig) ready(revision platform.Revision, instances int) platform.RevisionState {
	r.t.Helper()
	r.place(revision, instances)
	return r.awaitReady(revision.ID, instances)
}

func (r *rig) awaitReady(id string, instances int) (state platform.RevisionState) {
	r.t.Helper()
	defer func() {
		if r.t.Failed() {
			r.t.Logf("%s is %+v", id, state.Instances)
		}
	}()
	eventually(r.t, 10*time.Second, fmt.Sprintf("%d instances of %s ready", instances, id), func() bool {
		state, _ = r.observe().Revision(id)
		return state.Ready() == instances
	})
	return state
}

// failed waits until the only instance of the revision has failed and returns its message.
func (r *rig) failed(id string) (message string) {
	r.t.Helper()
	eventually(r.t, 10*time.Second, "the instance of "+id+" failed", func() bool {
		s, _ := r.observe().Revision(id)
		if len(s.Instances) == 0 {
			return false
		}
		message = s.Instances[0].Message
		return s.Instances[0].Failed
	})
	return message
}

func (r *rig) route(weights platform.Weights) {
	r.t.Helper()
	if err := r.Route(r.t.Context(), r.lease, shop, weights); err != nil {
		r.t.Fatal(err)
	}
}

// once keeps no connection, which the router would wait for when it ends.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// get asks through the router.
func (r *rig) get(path string) (int, string, error) {
	r.t.Helper()
	route, err := r.client.Route(r.t.Context(), shop.String())
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := once.Get("http://" + route.Listen + path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(body)), err
}

func running(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(raw), ") Z ")
}
