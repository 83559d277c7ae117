// Package telemetry tells Prometheus what Fairway itself does: how its store answers, how
// runs move, what a worker has to do with its server.
//
//	measured := telemetry.NewStore()
//	d := drive.New(drive.Config{Store: measured.Drive(st.Drive())})
//	registry.MustRegister(measured)
//
// It stands between two rooms that do not know of it, and passes on what they say as it is.
// What can be counted in the store when it is asked is package api's (its metrics.go); what
// is measured of services that are released is package metric's. All names begin with fairway_;
// deploy/prometheus has alerts on them and deploy/grafana a dashboard.
package telemetry

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Transitions counts the events that moved runs.
type Transitions struct{ *prometheus.CounterVec }

// NewTransitions returns a collector whose Moved is for drive.Config.
func NewTransitions() Transitions {
	return Transitions{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_transitions_total", Help: "Events applied to runs and committed, by what happened."}, []string{"event"})}
}

// Moved counts one event.
func (t Transitions) Moved(kind pipeline.EventKind) { t.WithLabelValues(string(kind)).Inc() }

// Gauge is a metric that is read when it is asked for.
func Gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}

// Build is the metric that names the build.
func Build(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fairway_build_info", Help: "Always 1; the labels name the build.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	}, func() float64 { return 1 })
}

// Handler shows the collectors, and those of the process and of Go.
func Handler(all ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(all...)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, ErrorHandling: promhttp.ContinueOnError})
}
