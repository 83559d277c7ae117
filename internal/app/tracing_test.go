package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTracesGoToTheEndpointThatIsSet(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if len(b) > 0 {
			got <- r.URL.Path
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	wrap, stop, err := tracing(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	handler := wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/me", nil))
	stop()
	select {
	case path := <-got:
		if path != "/v1/traces" {
			t.Errorf("the traces went to %s", path)
		}
	case <-time.After(5 * time.Second):
		t.Error("no trace came")
	}
}

func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	wrap, stop, err := tracing(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil || wrap != nil {
		t.Errorf("tracing is set up: %v, %v", wrap != nil, err)
	}
	stop()
}
