package load_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/load"
)

func TestEveryRequestIsCountedByItsOutcome(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Version", "v1")
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(500)
		case 1:
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	r, err := load.Run(context.Background(), load.Config{URL: srv.URL, Rate: 400, Duration: time.Second / 2, Label: "Version"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 200 || r.Latency.Count() != 200 {
		t.Errorf("sent %d requests, want 200", r.Requests)
	}
	if r.Errors == 0 || r.Statuses[500] == 0 || r.Statuses[200] == 0 || r.Failed() != r.Errors+r.Statuses[500] {
		t.Errorf("outcomes are %d without answer and %v", r.Errors, r.Statuses)
	}
	if c := r.ByLabel["v1"]; c.Requests != r.Statuses[200]+r.Statuses[500] || c.Failed != r.Statuses[500] {
		t.Errorf("v1 counted %+v of %v", c, r.Statuses)
	}
}

func TestAStallShowsInTheRequestsItKeptWaiting(t *testing.T) {
	var n atomic.Int64
	stall := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() { close(stall) })
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n.Add(1)
		<-stall
	}))
	defer srv.Close()
	r, err := load.Run(context.Background(), load.Config{URL: srv.URL, Rate: 100, Duration: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Latency.Quantile(0.5); p < 150*time.Millisecond {
		t.Errorf("the median is %s, but the service stood still for 300 ms", p)
	}
}

func TestTheRateHolds(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	start := time.Now()
	if _, err := load.Run(context.Background(), load.Config{URL: srv.URL, Rate: 100, Duration: time.Second / 2}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 450*time.Millisecond {
		t.Errorf("50 requests at 100/s were sent in %s", took)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for name, c := range map[string]load.Config{
		"no rate":      {URL: "http://127.0.0.1", Duration: time.Second},
		"too fast":     {URL: "http://127.0.0.1", Rate: 1e6, Duration: time.Second},
		"no end":       {URL: "http://127.0.0.1", Rate: 1},
		"not a number": {URL: "http://127.0.0.1", Rate: nan(), Duration: time.Second},
		"no address":   {URL: "http://[::1", Rate: 1, Duration: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load.Run(context.Background(), c); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("Run = %v, want invalid", err)
			}
		})
	}
}

func nan() float64 { z := 0.0; return z / z }

func TestQuantilesAreWithinFivePercent(t *testing.T) {
	var l load.Latencies
	for i := 1; i <= 1000; i++ {
		l.Add(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := l.Quantile(q); got < want || float64(got) > 1.05*float64(want) {
			t.Errorf("quantile %v is %s, want %s within 5 %%", q, got, want)
		}
	}
}
