package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
