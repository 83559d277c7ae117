package app

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/fairwayhq/fairway/internal/fault"
)

// tracing sets OpenTelemetry up when an endpoint is set in the environment
// (OTEL_EXPORTER_OTLP_ENDPOINT or …_TRACES_ENDPOINT), and returns what to put
// around every request; nil without an endpoint.
func tracing(ctx context.Context, log *slog.Logger) (wrap func(http.Handler) http.Handler, stop func(), err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "the tracing endpoint cannot be used: %w", err).
			WithHint("look at OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(semconv.ServiceName("fairway"), semconv.ServiceVersion(Version())))
	if err != nil {
		about = resource.Default()
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	wrap = func(h http.Handler) http.Handler { return otelhttp.NewHandler(h, "http") }
	return wrap, func() {
		flush, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(flush); err != nil {
			log.Warn("The last traces could not be sent.", "error", err)
		}
	}, nil
}
