package load_test

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, c load.Config) load.Report {
	t.Helper()
	l, err := load.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l.Run(t.Context())
}

func TestEveryOutcomeIsCounted(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Version", "v2")
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
		case 1:
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	r := run(t, load.Config{URL: s.URL, Rate: 2000, Requests: 400, VersionHeader: "Version"})
	if r.Requests != 400 || r.Status[200] != 200 || r.Status[500] != 100 || r.Transport["closed"] != 100 || r.Failed != 200 {
		t.Errorf("counted %+v", r)
	}
	if v := r.Versions["v2"]; v.Requests != 300 || v.Failed != 100 {
		t.Errorf("versions are %+v", r.Versions)
	}
	if r.Latency.Count() != 400 || r.Latency.Quantile(0.5) <= 0 || r.Latency.Quantile(0.99) > r.Latency.Max() {
		t.Errorf("the latency is %v at the median, %v at most", r.Latency.Quantile(0.5), r.Latency.Max())
	}
}

func TestEachAnswerIsTold(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Mark", "odd")
		w.WriteHeader(http.StatusTeapot)
	}))
	defer s.Close()
	told := make(chan load.Answer, 100)
	run(t, load.Config{URL: s.URL, Rate: 2000, Requests: 100, Each: func(a load.Answer) { told <- a }})
	close(told)
	answered, closed := 0, 0
	for a := range told {
		switch {
		case a.Due.IsZero() || a.Done.Before(a.Due):
			t.Errorf("the times of %+v are wrong", a)
		case a.Status == http.StatusTeapot && a.Header.Get("Mark") == "odd" && a.Failure == "":
			answered++
		case a.Status == 0 && a.Failure == "closed":
			closed++
		}
	}
	if answered != 50 || closed != 50 {
		t.Errorf("told of %d answers and %d closed connections, not of 50 each", answered, closed)
	}
}

func TestSlowAnswersAreCountedByVersion(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := "fast"
		if n.Add(1)%4 == 0 {
			version = "slow"
			time.Sleep(300 * time.Millisecond)
		}
		w.Header().Set("Version", version)
	}))
	defer s.Close()
	r := run(t, load.Config{URL: s.URL, Rate: 200, Requests: 40, VersionHeader: "Version"})
	fast, slow := r.Versions["fast"].Latency, r.Versions["slow"].Latency
	if fast.Count() != 30 || slow.Count() != 10 || fast.Above(250*time.Millisecond) != 0 || slow.Above(250*time.Millisecond) != 10 {
		t.Errorf("of %d fast answers %d were slow, of %d slow ones %d",
			fast.Count(), fast.Above(250*time.Millisecond), slow.Count(), slow.Above(250*time.Millisecond))
	}
}

func TestTheRateIsKeptWhileTheServiceStalls(t *testing.T) {
	stall := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stall }))
	defer s.Close()
	time.AfterFunc(300*time.Millisecond, func() { close(stall) })
	r := run(t, load.Config{URL: s.URL, Rate: 1000, Duration: 400 * time.Millisecond})
	if r.Requests != 400 || r.Failed != 0 {
		t.Errorf("sent %d of 400, %d failed", r.Requests, r.Failed)
	}
	if p50 := r.Latency.Quantile(0.5); p50 < 50*time.Millisecond {
		t.Errorf("the stall is hidden: the median is %v", p50)
	}
	if late := r.Late.Quantile(0.5); r.Late.Count() != 400 || late > 50*time.Millisecond {
		t.Errorf("requests were sent late by %v, though only the service stalls", late)
	}
}

func TestAClosedConnectionIsAFailureAndNotRetried(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1024)
			c.Read(buf)
			c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			c.Read(buf) // the second request gets no answer
			c.Close()
		}
	}()
	r := run(t, load.Config{URL: "http://" + l.Addr().String(), Rate: 50, Requests: 10})
	if r.Transport["closed"] != 5 || r.Status[200] != 5 {
		t.Errorf("counted %+v, want five answers and five closed connections", r)
	}
}

func TestRefusedConnectionsAndTheEndOfTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ld, err := load.New(load.Config{URL: "http://" + l.Addr().String(), Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r := ld.Run(ctx)
	if r.Requests == 0 || r.Transport["connect"] != r.Requests {
		t.Errorf("counted %+v, want refused connections only", r)
	}
}

func TestImpossibleLoadsAreRefused(t *testing.T) {
	for name, c := range map[string]load.Config{
		"no URL":          {Rate: 1},
		"another scheme":  {URL: "ftp://a", Rate: 1},
		"no rate":         {URL: "http://a"},
		"a negative rate": {URL: "http://a", Rate: -1},
		"not a number":    {URL: "http://a", Rate: math.NaN()},
		"a bad duration":  {URL: "http://a", Rate: 1, Duration: -1},
	} {
		if _, err := load.New(c); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s gave %v, want invalid", name, err)
		}
	}
}
