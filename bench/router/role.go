package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/fairwayhq/fairway/internal/router"
)

// The benchmark's own program also plays its parts: "role router DIR" is the
// router, "role service VERSION" a service that prints its address, "role load
// ADDRESS SECONDS" a load that prints its percentiles.
func play(role string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch {
	case role == "router" && len(args) == 1:
		return playRouter(ctx, args[0])
	case role == "service" && len(args) == 1:
		return playService(ctx, args[0])
	case role == "load" && len(args) == 2:
		return playLoad(ctx, args[0], args[1])
	}
	return fmt.Errorf("there is no role %q with %d arguments", role, len(args))
}

func playRouter(ctx context.Context, dir string) error {
	if path := os.Getenv("FAIRWAY_BENCH_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return router.Run(ctx, router.Config{StateDir: dir})
}

func playService(ctx context.Context, version string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	body := []byte(strings.Repeat(version+" ", 1024)[:1024])
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(body)
	})}
	fmt.Println(l.Addr())
	go func() {
		<-ctx.Done()
		s.Close() // at once: what is still in flight here is lost, and the benchmark would see it
	}()
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
