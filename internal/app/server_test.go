package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// serve runs a server until stop is called, which returns its error.
func serve(t *testing.T, c ServerConfig) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	c.Listen, c.NoWorker, c.Ready = "127.0.0.1:0", true, func(url string) { ready <- url }
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	go func() { ended <- Server(ctx, c) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	select {
	case url = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return url, stop
}

// clientOf speaks with the token of the data folder's first start.
func clientOf(t *testing.T, url, dir string) *client.Client {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(dir, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: url, Token: strings.TrimSpace(string(token))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAReadOnlyServerShowsAndLeavesEverythingAsItIs(t *testing.T) {
	dir := t.TempDir()
	var rung atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { rung.Add(1) }))
	defer hook.Close()
	url, stop := serve(t, ServerConfig{DataDir: dir})
	const definition = "service: shop\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments: [{name: production, stages: [{approval: {roles: [sre]}}, deploy]}]\n"
	shipped, err := clientOf(t, url, dir).Create(t.Context(), client.NewRelease{
		Definition: definition, Artifact: "/bin/true", Digest: "sha256:" + strings.Repeat("0", 64), Version: "v1",
	}, "")
	if err := errors.Join(err, stop()); err != nil {
		t.Fatal(err)
	}
	left := drive.Message{ID: "m", Release: shipped.ID, Webhook: hook.URL, Body: []byte("{}"), NotBefore: time.Now().Add(-time.Minute)}
	alive := time.Now().Add(-time.Hour)
	inStore(t, dir, func(tx drive.Tx) error {
		return errors.Join(tx.PutMessage(left), tx.NoteAlive(alive))
	})

	url, stop = serve(t, ServerConfig{DataDir: dir, ReadOnly: true, DriftEvery: time.Millisecond})
	c := clientOf(t, url, dir)
	if d, err := c.Release(t.Context(), "shop@v1"); err != nil || d.ID != shipped.ID {
		t.Errorf("it shows %q, %v", d.ID, err)
	}
	if v, err := c.Verify(t.Context(), "shop@v1"); err != nil || !v.OK {
		t.Errorf("the history: %+v, %v", v, err)
	}
	if _, err := c.Freeze(t.Context(), client.NewFreeze{Reason: "x"}); fault.CodeOf(err) != fault.Denied || fault.HintOf(err) == "" {
		t.Errorf("a change: %v (%s), hint %q", err, fault.CodeOf(err), fault.HintOf(err))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	inStore(t, dir, func(tx drive.Tx) error {
		// A server that acts notes that it lives as it starts and as it stops.
		if at, err := tx.LastAlive(); err != nil || !at.Equal(alive) {
			t.Errorf("a sign of life at %s, %v, want that of before, %s", at, err, alive)
		}
		due, err := tx.DueMessages(time.Now(), 0)
		if len(due) != 1 || due[0].Attempts != 0 || !due[0].NotBefore.Equal(left.NotBefore) || rung.Load() > 0 {
			t.Errorf("the message is %+v, and the webhook was called %d times", due, rung.Load())
		}
		for _, work := range []string{"look for drift", verifyWork} {
			if c, err := tx.Chore(work); err != nil || !c.Until.IsZero() {
				t.Errorf("somebody has begun to %s: %+v, %v", work, c, err)
			}
		}
		return err
	})
}

// inStore runs a transaction on the database of the folder, which no server has open.
func inStore(t *testing.T, dir string, f func(drive.Tx) error) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: databaseFile(dir)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.Drive().Update(t.Context(), f), st.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAReadOnlyServerMakesNoDatabase(t *testing.T) {
	dir := t.TempDir()
	err := Server(t.Context(), ServerConfig{DataDir: dir, Listen: "127.0.0.1:0", ReadOnly: true, Log: slog.New(slog.DiscardHandler), Out: io.Discard})
	if fault.CodeOf(err) != fault.NotFound || fault.HintOf(err) == "" {
		t.Errorf("without a database: %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := os.Stat(databaseFile(dir)); !os.IsNotExist(err) {
		t.Errorf("there is a database now: %v", err)
	}
}

func TestAStartThatFailsLateLeavesNothingRunning(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for range 5 {
		var log bytes.Buffer
		err := Server(t.Context(), ServerConfig{
			DataDir: t.TempDir(), Listen: "127.0.0.1:0", NoWorker: true, Pprof: taken.Addr().String(),
			Log: slog.New(slog.NewTextHandler(&log, nil)), Out: io.Discard,
		})
		if fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("the server ended with %v", err)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, part := range []string{"drive.(*Drive).Run", "app.watchClock", "(*housekeeping).run"} {
			if bytes.Contains(stacks, []byte(part)) {
				t.Fatalf("%s still runs", part)
			}
		}
		if strings.Contains(log.String(), "level=ERROR") {
			t.Fatalf("a part met a store that was closed: %s", log.String())
		}
	}
}

func TestAServerThatStopsSaysSoWhileItStillTakesConnections(t *testing.T) {
	url, stop := serve(t, ServerConfig{DataDir: t.TempDir(), Drain: time.Minute, Announce: 3 * time.Second})
	ask := func() int {
		way := &http.Transport{DisableKeepAlives: true}
		res, err := (&http.Client{Transport: way}).Get(url + "/readyz")
		if err != nil {
			t.Fatalf("a balancer that asks is refused: %v", err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for limit := time.Now().Add(10 * time.Second); ask() != http.StatusOK; {
		if time.Now().After(limit) {
			t.Fatal("the server was never ready")
		}
	}
	go func() { _ = stop() }()
	for limit := time.Now().Add(10 * time.Second); ask() != http.StatusServiceUnavailable; {
		if time.Now().After(limit) {
			t.Fatal("the server stops and does not say so")
		}
	}
}

// A balancer goes on sending by the connections that it holds until it has heard of the end.
// One that is cut under a POST, which nobody may send twice, fails for a user.
func TestAServerThatStopsCutsNoConnectionBeforeItSaidSo(t *testing.T) {
	url, stop := serve(t, ServerConfig{DataDir: t.TempDir(), Drain: time.Minute, Announce: 5 * time.Second})
	pool := &http.Transport{MaxIdleConnsPerHost: 1}
	defer pool.CloseIdleConnections()
	post := func() (reused bool, res *http.Response) {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/releases", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if res, err = (&http.Client{Transport: pool}).Do(req); err != nil {
			t.Fatalf("a request by a held connection: %v", err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return reused, res
	}
	if _, res := post(); res.Close {
		t.Fatalf("before its end the server closes connections: %s", res.Status)
	}
	go func() { _ = stop() }()
	for limit, status := time.Now().Add(10*time.Second), 0; status != http.StatusServiceUnavailable; {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url + "/readyz")
		if err != nil || time.Now().After(limit) {
			t.Fatalf("the server stops and does not say so: %v", err)
		}
		status = res.StatusCode
		_ = res.Body.Close()
	}
	if reused, res := post(); !reused || !res.Close {
		t.Errorf("a request meanwhile: by the held connection: %v; asked to leave it: %v; want both", reused, res.Close)
	}
	if reused, _ := post(); reused {
		t.Error("the connection that was to be left is used again")
	}
}
