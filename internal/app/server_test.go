package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
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
