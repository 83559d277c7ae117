package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
)

// rig is a whole server without a worker: a real store, a real drive, a real
// listener. Tests play the worker over the API.
type rig struct {
	t       *testing.T
	server  *httptest.Server
	store   *store.SQLite
	drive   *drive.Drive
	control *release.Control
	auth    *auth.Service
	closing chan struct{}
	log     *syncBuffer
}

func newRig(t *testing.T, change ...func(*api.Config)) *rig {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: st, closing: make(chan struct{}), log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.drive = drive.New(drive.Config{Store: st.Drive(), Log: log})
	r.auth = auth.New(st.Auth())
	r.auth.PasswordCost = bcrypt.MinCost
	desk := inquiry.NewDesk()
	r.control = release.New(release.Config{Store: st.Release(), Drive: r.drive, Inquirer: desk})
	config := api.Config{
		Releases: r.control,
		Auth:     r.auth, Drive: r.drive, Desk: desk, Log: log, Closing: r.closing, Version: "test",
		Heartbeat: 50 * time.Millisecond, Patience: 500 * time.Millisecond,
		UI: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the page")
		}),
	}
	for _, f := range change {
		f(&config)
	}
	handler := api.New(config)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.drive.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r.server = httptest.NewServer(handler)
	t.Cleanup(func() {
		close(r.closing)
		r.server.Close()
		stop()
		running.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// syncBuffer is a log that many goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// person makes a user with a token and returns a client that speaks as them.
func (r *rig) person(name string, roles ...auth.Role) *client.Client {
	r.t.Helper()
	if _, err := r.auth.CreateUser(r.t.Context(), root, auth.NewUser{Name: name, Roles: roles, Password: "a long password of " + name}); err != nil {
		r.t.Fatal(err)
	}
	return r.client(r.token(auth.NewToken{User: name, Name: name}))
}

// root makes everybody else.
var root = auth.Identity{User: "root", Roles: []auth.Role{auth.Admin}}

func (r *rig) token(n auth.NewToken) string {
	r.t.Helper()
	secret, _, err := r.auth.CreateToken(r.t.Context(), root, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// worker makes a worker's token for the environments and returns its client.
func (r *rig) worker(name string, environments ...string) *client.Client {
	r.t.Helper()
	if _, err := r.auth.CreateUser(r.t.Context(), root, auth.NewUser{Name: name}); err != nil {
		r.t.Fatal(err)
	}
	return r.client(r.token(auth.NewToken{User: name, Name: name, Worker: true, Environments: environments}))
}

func (r *rig) client(token string) *client.Client {
	r.t.Helper()
	// Without kept connections, a test that cuts them cuts only the streams.
	alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c, err := client.New(client.Config{URL: r.server.URL, Token: token, HTTP: alone})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// call makes a bare request and returns the answer with its body read.
func (r *rig) call(method, path, body string, header map[string]string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

// simple is a definition that a worker finishes with two tasks.
const simple = `
service: shop
owner: team-shop
host: {run: "./shop -port $PORT", ready: /healthz}
environments:
  - name: staging
    host: {listen: "127.0.0.1:8081"}
    stages: [deploy]
  - name: production
    host: {listen: "127.0.0.1:8080"}
    stages:
      - approval: {roles: [sre, qa]}
      - deploy
`

const digest1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
const digest2 = "sha256:2222222222222222222222222222222222222222222222222222222222222222"

func newRelease(version, digest string) client.NewRelease {
	return client.NewRelease{Definition: simple, Version: version, Artifact: "/builds/shop-" + version, Digest: digest}
}

// ship makes a release, or ends the test.
func ship(t *testing.T, c *client.Client, n client.NewRelease) client.ReleaseDetail {
	t.Helper()
	d, err := c.Create(t.Context(), n, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// work leases the next task and reports the outcome.
func work(t *testing.T, c *client.Client, o stage.Outcome) stage.Task {
	t.Helper()
	task := lease(t, c)
	report(t, c, task, o)
	return task
}

func lease(t *testing.T, c *client.Client) stage.Task {
	t.Helper()
	tasks, err := c.Lease(t.Context(), stage.LeaseAsk{Entries: true, Worker: "w", Max: 1, Wait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 1 {
		t.Fatalf("leased %d tasks, want 1", len(tasks))
	}
	return tasks[0]
}

func report(t *testing.T, c *client.Client, task stage.Task, o stage.Outcome) stage.Reply {
	t.Helper()
	reply, err := c.Report(t.Context(), stage.Report{
		Task: task.ID, Release: task.Release, Environment: task.Environment, Region: task.Region, Entry: task.Entry, Worker: "w", Fence: task.Fence, Outcome: o,
	})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

var passed = stage.Outcome{Status: stage.Passed, Exposed: true, State: json.RawMessage(`{}`)}

// toProduction brings the release home in production: staging, an approval, production.
func toProduction(t *testing.T, worker, approver *client.Client, id string) {
	t.Helper()
	work(t, worker, passed)
	if _, err := approver.Approve(t.Context(), id, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	work(t, worker, passed)
}

// refused ends the test unless the error is a fault with the code and the text.
func refused(t *testing.T, err error, code fault.Code, text string) {
	t.Helper()
	if fault.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("error = %q (%s), want %s with %q", err, fault.CodeOf(err), code, text)
	}
	if code != fault.NotFound && fault.HintOf(err) == "" {
		t.Errorf("the refusal %q has no hint", err)
	}
}

// status returns the HTTP status that is in the chain of a client's fault.
func status(err error) int {
	var s *client.StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}
