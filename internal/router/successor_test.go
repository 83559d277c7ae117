package router

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A process that is out of file descriptors cannot accept its successor, and goes on.
func TestAFailedAcceptIsNoSuccessor(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "handover.sock"), Net: "unix"}
	l, err := net.ListenUnix("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.SetDeadline(time.Unix(1, 0)); err != nil { // each accept fails at once
		t.Fatal(err)
	}
	read, write := io.Pipe()
	defer read.Close()
	p := &process{config: Config{Log: slog.New(slog.NewTextHandler(write, nil))}, estate: &estate{handover: l}}
	ended := make(chan *wire, 1)
	go func() {
		ended <- p.awaitSuccessor()
		write.Close()
	}()
	told := make([]byte, 1<<10)
	for range 2 {
		if _, err := read.Read(told); err != nil {
			t.Fatalf("it stopped waiting: %v", err)
		}
	}
	l.Close()
	go func() { _, _ = io.Copy(io.Discard, read) }()
	if w := <-ended; w != nil {
		t.Error("a closed socket has brought a successor")
	}
}
