package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// Worker measures what a worker has to do with its server.
type Worker struct {
	leased  prometheus.Counter
	seconds *prometheus.HistogramVec
	failed  *prometheus.CounterVec
	running prometheus.GaugeFunc
	cut     prometheus.GaugeFunc

	mu    sync.Mutex
	tasks map[string]bool // those that it holds, by ID
	since time.Time       // the first failure after the last answer; zero while the server answers
	work  bool            // whether a call that is about tasks has failed since then
}

// NewWorker returns a collector that has measured nothing.
func NewWorker() *Worker {
	w := &Worker{tasks: map[string]bool{}}
	w.leased = prometheus.NewCounter(prometheus.CounterOpts{Name: "fairway_worker_leases_total", Help: "Tasks that the worker got."})
	w.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "fairway_worker_report_duration_seconds", Help: "How long the server took to answer; kind is outcome (a report) or alive (signs of life).",
		Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}, []string{"kind"})
	w.failed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_worker_calls_failed_total", Help: "Calls of the server that got no answer or a refusal; call is hello, lease, report or signs."}, []string{"call"})
	for _, call := range []string{"hello", "lease", "report", "signs"} { // a rate needs the zero that it begins with
		w.failed.WithLabelValues(call)
	}
	for _, kind := range []string{"outcome", "alive"} {
		w.seconds.WithLabelValues(kind)
	}
	w.running = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fairway_worker_tasks", Help: "Tasks that the worker carries out."}, w.held)
	w.cut = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fairway_worker_cut_off_seconds", Help: "For how long the server has not answered; 0 while it does. Meanwhile tasks hold or retreat."}, w.cutOff)
	return w
}

// Places shows what a worker has free: stages, and those of them that may run a command.
func Places(free func() (stages, jobs int)) []prometheus.Collector {
	gauge := func(kind string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fairway_worker_places_free", Help: "How many more the worker takes; kind is stage (any) or job (those that run a command).",
			ConstLabels: prometheus.Labels{"kind": kind},
		}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		gauge("stage", func() int { stages, _ := free(); return stages }),
		gauge("job", func() int { _, jobs := free(); return jobs }),
	}
}

func (w *Worker) parts() []prometheus.Collector {
	return []prometheus.Collector{w.leased, w.seconds, w.failed, w.running, w.cut}
}

// Describe and Collect make it a collector.
func (w *Worker) Describe(ch chan<- *prometheus.Desc) {
	for _, p := range w.parts() {
		p.Describe(ch)
	}
}

// Collect gives what was measured.
func (w *Worker) Collect(ch chan<- prometheus.Metric) {
	for _, p := range w.parts() {
		p.Collect(ch)
	}
}

// Server measures the calls of a server.
func (w *Worker) Server(s worker.Server) worker.Server { return measuredServer{s, w} }

// Greeter measures the greetings: a worker that never gets through has no other calls.
func (w *Worker) Greeter(g worker.Greeter) worker.Greeter { return measuredGreeter{g, w} }

type measuredGreeter struct {
	worker.Greeter
	w *Worker
}

func (m measuredGreeter) Hello(ctx context.Context, h stage.Hello) (stage.Welcome, error) {
	welcome, err := m.Greeter.Hello(ctx, h)
	said := err
	if fault.CodeOf(err) == fault.NotFound { // an answer, of a server from before there were greetings
		said = nil
	}
	m.w.answered(ctx, hello, said)
	return welcome, err
}

// hello is the call of a greeting.
const hello = "hello"

type measuredServer struct {
	worker.Server
	w *Worker
}

func (m measuredServer) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	tasks, err := m.Server.Lease(ctx, ask)
	m.w.answered(ctx, "lease", err)
	m.w.leased.Add(float64(len(tasks)))
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, t := range tasks {
		m.w.tasks[t.ID] = true
	}
	return tasks, err
}

func (m measuredServer) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	began := time.Now()
	reply, err := m.Server.Report(ctx, r)
	m.w.seconds.WithLabelValues("outcome").Observe(time.Since(began).Seconds())
	m.w.answered(ctx, "report", err)
	if r.Left || r.Seen > 0 || err == nil && reply.Cancelled {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		delete(m.w.tasks, r.Task)
		if reply.Next != nil {
			m.w.tasks[reply.Next.ID] = true
			m.w.leased.Inc()
		}
	}
	return reply, err
}

func (m measuredServer) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	began := time.Now()
	replies, err := m.Server.Signs(ctx, signs)
	m.w.seconds.WithLabelValues("alive").Observe(time.Since(began).Seconds())
	m.w.answered(ctx, "signs", err)
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for i, reply := range replies {
		if reply.Cancelled && i < len(signs.Tasks) {
			delete(m.w.tasks, signs.Tasks[i].Task)
		}
	}
	return replies, err
}

// answered notes whether the server can be reached. That a worker stops is not the server's
// silence; that an answer does not come in time is. A greeting that is answered, once a
// minute, does not make up for tasks that cannot be got or reported.
func (w *Worker) answered(ctx context.Context, call string, err error) {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && call == hello && w.work:
		return
	case err == nil:
		w.since, w.work = time.Time{}, false
		return
	case w.since.IsZero():
		w.since = time.Now()
	}
	w.work = w.work || call != hello
	w.failed.WithLabelValues(call).Inc()
}

func (w *Worker) held() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return float64(len(w.tasks))
}

func (w *Worker) cutOff() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return 0
	}
	return time.Since(w.since).Seconds()
}

var (
	_ worker.Server  = measuredServer{}
	_ worker.Greeter = measuredGreeter{}
)
