package metric

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairwayhq/fairway/internal/judge"
)

// exporter is a process that is scraped: its registry can be replaced, as by a
// restart, and it can be killed.
type exporter struct {
	address string
	server  *http.Server

	mu      sync.Mutex
	handler http.Handler
}

func newExporter(t testing.TB) *exporter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &exporter{address: l.Addr().String(), handler: http.NotFoundHandler()}
	e.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		h := e.handler
		e.mu.Unlock()
		h.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); e.server.Serve(l) }()
	t.Cleanup(func() { e.server.Close(); <-done })
	return e
}

// app is what one run of an instrumented process counts.
type app struct {
	requests, errors prometheus.Counter
	classic, native  prometheus.Histogram
	odd              prometheus.Gauge
}

// start begins a run of the process with all counters at zero.
func (e *exporter) start(service, revision string) *app {
	labels := prometheus.Labels{"service": service, "revision": revision}
	buckets := []float64{0.1, 0.5, 1}
	a := &app{
		requests: prometheus.NewCounter(prometheus.CounterOpts{Name: "requests_total", ConstLabels: labels}),
		errors:   prometheus.NewCounter(prometheus.CounterOpts{Name: "errors_total", ConstLabels: labels}),
		classic:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "classic_seconds", ConstLabels: labels, Buckets: buckets}),
		native:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "native_seconds", ConstLabels: labels, NativeHistogramBucketFactor: 1.1}),
		odd:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "odd_total", ConstLabels: labels}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(a.requests, a.errors, a.classic, a.native, a.odd)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return a
}

// serve counts requests of which some fail; each takes the seconds.
func (a *app) serve(requests, errors int, seconds float64) {
	a.requests.Add(float64(requests))
	a.errors.Add(float64(errors))
	for range requests {
		a.classic.Observe(seconds)
		a.native.Observe(seconds)
	}
}

// daemon is a real Prometheus that scrapes exporters every second.
type daemon struct {
	dir, address string
	cmd          *exec.Cmd
	exited       chan struct{}
	log          bytes.Buffer
}

func startDaemon(t testing.TB, exporters map[string]*exporter) *daemon {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus on this machine; it is in the Debian package prometheus")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{dir: t.TempDir(), address: l.Addr().String()}
	l.Close()
	config := "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n"
	for pod, e := range exporters {
		gateway := strings.HasPrefix(pod, "preset-") // what it says of a pod is not about itself
		config += fmt.Sprintf("- job_name: %s\n  honor_labels: %v\n  static_configs:\n  - {targets: [%q], labels: {job: test, pod: %q}}\n", pod, gateway, e.address, pod)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(t)
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", d.log.String())
		}
	})
	return d
}

func (d *daemon) run(t testing.TB) {
	t.Helper()
	d.cmd = exec.Command("prometheus", "--config.file="+filepath.Join(d.dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(d.dir, "data"), "--web.listen-address="+d.address,
		"--enable-feature=native-histograms", "--log.level=warn")
	d.cmd.Stderr = &d.log
	tie(d.cmd)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) { cmd.Wait(); close(exited) }(d.cmd, d.exited)
	eventually(t, func() string { return "prometheus is not ready" }, func() bool {
		res, err := http.Get("http://" + d.address + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(10 * time.Second):
		d.cmd.Process.Kill()
		<-d.exited
	}
}

// eventually waits until ok; else why says what is the matter.
func eventually(t testing.TB, why func() string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("waited in vain: " + why())
		}
	}
}

// watch looks again and again and adds up what it sees.
type watch struct {
	t               testing.TB
	source          *Prometheus
	ask             Ask
	cursor          []byte
	good            int // samples with evidence
	missing         string
	stable, canary  judge.Arm
	latest          judge.Sample
	stableL, canryL []int64
}

func (d *daemon) watch(t testing.TB, service, histogram string) *watch {
	t.Helper()
	c := PrometheusConfig{
		URL:       "http://" + d.address,
		Requests:  `requests_total{service="$service",revision="$revision"}`,
		Errors:    `errors_total{service="$service",revision="$revision"}`,
		Histogram: histogram,
		Interval:  textDuration(time.Second),
	}
	p, err := NewPrometheus(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &watch{t: t, source: p, ask: Ask{Service: service, Environment: "production", Stable: "r1", Canary: "r2", Weight: 0.5}}
}

func (w *watch) state() string {
	return fmt.Sprintf("stable %+v, canary %+v, the last look says %q", w.stable, w.canary, w.missing)
}

func (w *watch) look() judge.Sample {
	w.t.Helper()
	w.ask.Now = time.Now()
	s, next, err := w.source.Sample(context.Background(), w.ask, w.cursor)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cursor, w.missing, w.latest = next, s.Missing, s
	if s.Missing == "" {
		w.good++
		w.stable, w.stableL = total(w.stable, s.Stable)
		w.canary, w.canryL = total(w.canary, s.Canary)
	}
	return s
}

func total(sum, a judge.Arm) (judge.Arm, []int64) {
	sum.Requests += a.Requests
	sum.Errors += a.Errors
	if sum.Latency.Counts == nil {
		sum.Latency.Counts = make([]int64, len(a.Latency.Counts))
	}
	sum.Latency.Bounds = a.Latency.Bounds
	for i, n := range a.Latency.Counts {
		sum.Latency.Counts[i] += n
	}
	return sum, sum.Latency.Counts
}

// settle looks until n samples more carried evidence.
func (w *watch) settle(n int) {
	w.t.Helper()
	want := w.good + n
	eventually(w.t, w.state, func() bool {
		w.look()
		return w.good >= want
	})
}

// until looks until the sums are those, and then makes sure that they stay.
func (w *watch) until(stable, stableErrors, canary, canaryErrors int64) {
	w.t.Helper()
	got := func() [4]int64 {
		return [4]int64{w.stable.Requests, w.stable.Errors, w.canary.Requests, w.canary.Errors}
	}
	want := [4]int64{stable, stableErrors, canary, canaryErrors}
	eventually(w.t, w.state, func() bool {
		w.look()
		if got() == want {
			return true
		}
		for i := range want {
			if got()[i] > want[i] {
				w.t.Fatalf("counted %v, more than %v", got(), want)
			}
		}
		return false
	})
	w.settle(2)
	if got() != want {
		w.t.Fatalf("counted %v, want %v", got(), want)
	}
}

// untilMissing looks until the source says that it has nothing.
func (w *watch) untilMissing(says func(string) bool) {
	w.t.Helper()
	eventually(w.t, w.state, func() bool { w.look(); return w.missing != "" && says(w.missing) })
}
