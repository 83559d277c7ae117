// Command hello is a service for tests of the cluster: it says which version it is. Its
// environment makes it a bad one.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

var version = "unknown" // set by the linker, or by HELLO_VERSION

func main() {
	if v := os.Getenv("HELLO_VERSION"); v != "" {
		version = v
	}
	if why := os.Getenv("HELLO_EXIT"); why != "" {
		fmt.Fprintln(os.Stderr, "hello: cannot start:", why)
		os.Exit(3)
	}
	if most, err := strconv.Atoi(os.Getenv("HELLO_EAT")); err == nil {
		eat(most)
	}
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 10 * time.Second}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("HELLO_READY") == "never" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(4) })
	server.Handler = http.DefaultServeMux
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

// eat takes that many MiB of memory, and keeps them.
func eat(most int) {
	var all [][]byte
	for range most {
		some := make([]byte, 1<<20)
		for i := range some {
			some[i] = 1 // memory counts when it is written to
		}
		all = append(all, some)
	}
	http.HandleFunc("/eaten", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, len(all)) })
}
