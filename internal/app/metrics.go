package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/telemetry"
)

// clockGauge tells how far the process's time is from the machine's.
func clockGauge(c *clock) prometheus.Collector {
	return telemetry.Gauge("fairway_clock_ahead_seconds",
		"By how much the time that releases go by is ahead of this machine's clock: that was set back, or is behind the database's or the server's; negative where it is the other way round.",
		func() float64 { return c.aheadOfMachine().Seconds() })
}

// listenForMetrics opens the address of a worker's metrics; nil where it has none.
func listenForMetrics(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "the worker's metrics cannot be served on %s: %w", address, err).
			WithHint("choose another address with --metrics-listen, or leave the flag out")
	}
	return listener, nil
}

// serveMetrics answers /metrics and /healthz until ctx ends.
func serveMetrics(ctx context.Context, listener net.Listener, log *slog.Logger, all ...prometheus.Collector) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", telemetry.Handler(all...))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	<-ctx.Done()
	err := errors.Join(srv.Close(), ignoreClosed(<-ended))
	return err
}
