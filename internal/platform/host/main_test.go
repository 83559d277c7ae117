package host_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform/host"
)

// The test binary plays every part that has to be a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "host-exec":
			fail(host.Exec(os.Args[2:]))
		case "slow-host-exec": // leaves a worker time to be killed between fork and record
			time.Sleep(300 * time.Millisecond)
			fail(host.Exec(os.Args[2:]))
		case "service":
			fail(service(os.Args[2:]))
		case "worker":
			fail(worker(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

func fail(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// service is what the revisions run: service MODE PORT.
func service(args []string) error {
	mode, port := args[0], args[1]
	fmt.Println("service begins in mode", mode)
	switch mode {
	case "exit":
		fmt.Println("cannot find the database")
		os.Exit(3)
	case "chatterbox":
		fmt.Println("login with", os.Getenv("PASSWORD"), "failed")
		os.Exit(3)
	case "silent":
		select {}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "elsewhere":
		port = "0"
	case "daemon": // leaves a child that outlives it in a session of its own
		child := exec.Command(os.Args[0], "service", "ok", port)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		child.ExtraFiles = []*os.File{os.NewFile(100, "lock")}
		return child.Start()
	case "chatty":
		go func() {
			for line := strings.Repeat("x", 1<<16); ; {
				fmt.Println(line)
			}
		}()
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	return http.Serve(l, answers(mode))
}

func answers(mode string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", health(mode))
	contradict(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getenv("FAIRWAY_REVISION")) })
	mux.HandleFunc("GET /env/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.PathValue("name")))
	})
	mux.HandleFunc("GET /file/{name}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, r.PathValue("name")) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(400 * time.Millisecond):
			fmt.Fprint(w, "slow answer")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /crash", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	return mux
}

// eventually waits for a condition, not for a time.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}
