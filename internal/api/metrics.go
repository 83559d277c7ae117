package api

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(s *server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_http_requests_total", Help: "Requests answered, by route and status."}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairway_http_request_duration_seconds", Help: "How long requests took, by route; streams are left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fairway_http_streams", Help: "Live streams that are open."}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fairway_build_info", Help: "Always 1; the labels name the build.",
		ConstLabels: prometheus.Labels{"version": s.Version, "go": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.requests, m.seconds, m.streams, build, figures{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(s.Collectors...)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, ErrorHandling: promhttp.ContinueOnError})
}

func (m *metrics) request(route, code string, took time.Duration) {
	m.requests.WithLabelValues(route, code).Inc()
	if !streamed[route] {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// figures reads what the store holds, when it is asked.
type figures struct{ *server }

var (
	releasesDesc = prometheus.NewDesc("fairway_releases", "Releases that go on, by state.", []string{"state"}, nil)
	tasksDesc    = prometheus.NewDesc("fairway_tasks", "Stages that workers carry out (leased), that wait for one (waiting), or may not be leased yet (later).", []string{"environment", "state"}, nil)
	waitingDesc  = prometheus.NewDesc("fairway_task_waiting_seconds", "How long the task has waited for a worker that waits longest.", []string{"environment"}, nil)
	leaseDesc    = prometheus.NewDesc("fairway_lease_left_seconds", "What is left of the lease that runs out first; workers renew theirs every second.", []string{"environment"}, nil)
	outboxDesc   = prometheus.NewDesc("fairway_outbox_messages", "Messages that wait to be delivered.", nil, nil)
	ageDesc      = prometheus.NewDesc("fairway_outbox_oldest_seconds", "Age of the oldest message that waits to be delivered.", nil, nil)
	lagDesc      = prometheus.NewDesc("fairway_due_lag_seconds", "How late the release is that should have been woken first.", nil, nil)
	personDesc   = prometheus.NewDesc("fairway_person_wait_seconds", "How long the release has waited for a person that waits longest; looked at once a minute.", nil, nil)
	eventsDesc   = prometheus.NewDesc("fairway_ledger_lines_total", "Lines that this server has added to the ledger: one or more per transition.", nil, nil)
	beatDesc     = prometheus.NewDesc("fairway_last_beat_timestamp_seconds", "When the loop that wakes releases last looked.", nil, nil)
)

// Describe lists the figures.
func (figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		releasesDesc, tasksDesc, waitingDesc, leaseDesc, outboxDesc, ageDesc, lagDesc, personDesc, eventsDesc, beatDesc,
	} {
		ch <- d
	}
}

// Collect reads the figures.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if at := f.Drive.Alive(); !at.IsZero() {
		gauge(beatDesc, float64(at.UnixNano())/1e9)
	}
	found, err := f.Releases.Figures(ctx)
	if err != nil {
		f.Log.Error("Reading the figures for the metrics failed.", "error", err)
		ch <- prometheus.NewInvalidMetric(releasesDesc, errNoFigures)
		return
	}
	for state, n := range found.Releases {
		gauge(releasesDesc, float64(n), string(state))
	}
	for environment, tasks := range found.Tasks {
		gauge(tasksDesc, float64(tasks.Leased), environment, "leased")
		gauge(tasksDesc, float64(tasks.Waiting), environment, "waiting")
		gauge(tasksDesc, float64(tasks.Later), environment, "later")
		gauge(waitingDesc, tasks.WaitingFor.Seconds(), environment)
		if tasks.Leased > 0 {
			gauge(leaseDesc, tasks.LeaseLeft.Seconds(), environment)
		}
	}
	gauge(outboxDesc, float64(found.Outbox))
	gauge(ageDesc, found.OutboxAge.Seconds())
	gauge(lagDesc, found.DueLag.Seconds())
	ch <- prometheus.MustNewConstMetric(eventsDesc, prometheus.CounterValue, float64(found.Lines))
	if wait, _, looked := f.Releases.PersonWait(); looked {
		gauge(personDesc, wait.Seconds())
	}
}
