package router_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fairwayhq/fairway/internal/router"
)

func TestCountersTellWhatHappened(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/broken":
			c, _, _ := http.NewResponseController(w).Hijack()
			c.Close()
		case "/missing":
			http.NotFound(w, r)
		}
	}))
	url, c := p.put(t, whole("v1", b)), client(t)
	for path, want := range map[string]int{"/": 200, "/bad": 503, "/broken": 502, "/missing": 404} {
		if status, _ := fetch(t, c, url+path); status != want {
			t.Errorf("%s answered %d, want %d", path, status, want)
		}
	}
	eventually(t, "all requests are counted", func() bool { return p.arm(t, "v1").Requests == 4 })
	got := p.arm(t, "v1")
	if want := (router.Errors{Status: 1, Transport: 1}); got.Errors != want {
		t.Errorf("errors are %+v, want %+v", got.Errors, want)
	}
	if got.Inflight != 0 || len(got.Backends) != 1 || !got.Backends[0].StartedAt.Equal(b.StartedAt) {
		t.Errorf("backends are %+v", got.Backends)
	}
	var n int64
	for _, k := range got.Latency.Counts {
		n += k
	}
	if n != 4 || len(got.Latency.Counts) != len(router.LatencyBounds())+1 {
		t.Errorf("the latency histogram holds %d of 4 requests", n)
	}
}

func TestADeadBackendIsSkippedAndAnAloneOneIs502(t *testing.T) {
	p := start(t, stateDir(t))
	dead := closedPort(t)
	url, c := p.put(t, whole("v1", dead, instance(t, "v1"))), client(t)
	for range 20 {
		if status, body := fetch(t, c, url); status != 200 || body != "v1" {
			t.Fatalf("got %d %q with one live backend", status, body)
		}
	}
	if e := p.arm(t, "v1").Errors.Total(); e != 0 {
		t.Errorf("a retried connection counted as %d errors", e)
	}
	p.put(t, whole("v1", dead))
	if status, _ := fetch(t, c, url); status != http.StatusBadGateway {
		t.Errorf("got %d from a dead arm, want 502", status)
	}
	eventually(t, "the failed connection is counted", func() bool { return p.arm(t, "v1").Errors.Connect == 1 })
}

// closedPort is a backend that refuses connections.
func closedPort(t *testing.T) router.Backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return router.Backend{Address: l.Addr().String()}
}

func TestClientsThatGiveUpAreNotErrors(t *testing.T) {
	p := start(t, stateDir(t))
	arrived := make(chan struct{})
	b := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	url := p.put(t, whole("v1", b))
	conn, err := net.Dial("tcp", url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
	<-arrived
	if n := p.arm(t, "v1").Inflight; n != 1 {
		t.Errorf("%d requests in flight, want 1", n)
	}
	conn.Close()
	eventually(t, "the abort is counted", func() bool { return p.arm(t, "v1").Aborted == 1 })
	if got := p.arm(t, "v1"); got.Requests != 0 || got.Errors.Total() != 0 || got.Inflight != 0 {
		t.Errorf("an aborted request was counted: %+v", got.Counts)
	}
}

func TestCountersOutliveTheirBackend(t *testing.T) {
	p := start(t, stateDir(t))
	first := instance(t, "v1")
	url, c := p.put(t, whole("v1", first)), client(t)
	fetch(t, c, url)
	p.put(t, whole("v1", instance(t, "v1")))
	fetch(t, c, url)
	eventually(t, "both instances are counted", func() bool { return p.arm(t, "v1").Requests == 2 })
	if n := len(p.arm(t, "v1").Backends); n != 2 {
		t.Errorf("%d instances listed, want both", n)
	}
}

func TestMetricsHaveClassicAndNativeBuckets(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, whole("v1", instance(t, "v1")))
	fetch(t, client(t), url)
	eventually(t, "the request is counted", func() bool { return p.arm(t, "v1").Requests == 1 })
	tr := &http.Transport{DisableKeepAlives: true, DialContext: unixDial(p.dir)}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://router/metrics", nil)
	req.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	dec := expfmt.NewDecoder(res.Body, expfmt.ResponseFormat(res.Header))
	seen := map[string]bool{}
	for {
		var f dtoFamily
		if err := dec.Decode(&f); err != nil {
			break
		}
		seen[f.GetName()] = true
		if f.GetName() == "fairway_router_request_duration_seconds" {
			h := f.Metric[0].Histogram
			if h.GetSampleCount() != 1 || len(h.Bucket) == 0 || len(h.PositiveSpan) == 0 || h.GetSchema() != 2 {
				t.Errorf("the histogram lacks classic or native buckets: %v", h)
			}
		}
	}
	for _, name := range []string{"requests_total", "errors_total", "aborted_total", "inflight_requests", "request_duration_seconds"} {
		if !seen["fairway_router_"+name] || !model.LegacyValidation.IsValidMetricName("fairway_router_"+name) {
			t.Errorf("no metric %s among %v", name, seen)
		}
	}
	if !strings.Contains(res.Header.Get("Content-Type"), "protobuf") {
		t.Errorf("the exposition is %s", res.Header.Get("Content-Type"))
	}
}
