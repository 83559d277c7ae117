package app

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// serveProfiles serves profiles of the process on an address of their own, which must
// not be everybody's: they show what the process has in memory.
func serveProfiles(ctx context.Context, address string, parts *group) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "the profiles cannot be served on %s: %w", address, err).
			WithHint("choose another address with --pprof, for instance 127.0.0.1:6060")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	parts.run("profiles", func() error { return ignoreClosed(srv.Serve(listener)) })
	parts.run("end of the profiles", func() error {
		<-ctx.Done()
		return srv.Close()
	})
	return nil
}
