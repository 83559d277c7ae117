package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestAWorkerDoesNotShowItsTokenToTheNetwork(t *testing.T) {
	for server, refused := range map[string]bool{
		"http://127.0.0.1:7878": false, "http://localhost:7878": false, "http://[::1]:7878": false,
		"https://fairway.example.com": false, "http://fairway.example.com": true, "http://10.0.0.1:7878": true,
		"http://localhost.example.com": true,
	} {
		err := WorkerConfig{Server: server}.private()
		if (err != nil) != refused {
			t.Errorf("%s: %v", server, err)
		}
		if refused && !strings.Contains(fault.HintOf(err), "--plain-http") {
			t.Errorf("%s: the hint is %q", server, fault.HintOf(err))
		}
		if err := (WorkerConfig{Server: server, PlainHTTP: true}).private(); err != nil {
			t.Errorf("%s with --plain-http: %v", server, err)
		}
	}
}

func TestATokenIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	if _, err := openTokenFile(path, log); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a file that is not there: %v", err)
	}
	write("\n")
	if _, err := openTokenFile(path, log); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an empty file: %v", err)
	}
	write("one\n")
	f, err := openTokenFile(path, log)
	if err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if now, err := f.Now(); now != "two" || err != nil {
		t.Errorf("the new token is %q: %v", now, err)
	}
	write("")
	for range 2 {
		if now, err := f.Now(); now != "two" || err != nil {
			t.Errorf("while the file is replaced the token is %q: %v", now, err)
		}
	}
	if n := strings.Count(said.String(), "cannot be read"); n != 1 {
		t.Errorf("that the file is empty was told %d times", n)
	}
	if strings.Contains(said.String(), "two") {
		t.Error("the log shows the token")
	}
}

func TestAWorkerThatNeverReachedItsServerShowsThat(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Worker(ctx, WorkerConfig{
			Server: "http://127.0.0.1:1", TokenFile: token, Name: "w", DataDir: t.TempDir(), MetricsListen: "127.0.0.1:0",
			Log: slog.New(slog.DiscardHandler), MetricsReady: func(a string) { address <- a }, Parallel: 40, ParallelJobs: 3,
		})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	url, text := "http://"+<-address+"/metrics", ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if text = string(body); err != nil || res.Body.Close() != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "fairway_worker_cut_off_seconds 0\n") && !strings.Contains(text, `calls_failed_total{call="hello"} 0`) {
			if !strings.Contains(text, `places_free{kind="stage"} 40`) || !strings.Contains(text, `places_free{kind="job"} 3`) {
				t.Errorf("it has other places free:\n%s", text)
			}
			return
		}
	}
	t.Errorf("nobody can reach its server, and the worker shows:\n%s", text)
}
