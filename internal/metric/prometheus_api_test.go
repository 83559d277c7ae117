package metric

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

func apiOf(t *testing.T, base string, transport http.RoundTripper) promAPI {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return newPromAPI(u, transport)
}

func TestAnswersThatAreNoEvidence(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		status     int
		want       string
		code       fault.Code
	}{
		{name: "not JSON", body: "<html>", status: 200, want: "its answer is not that of a Prometheus"},
		{name: "cut off", body: `{"status":"success","data":{"resultType":"matrix","result":[`, status: 200, want: "its answer is not that of a Prometheus"},
		{name: "of something else", body: `{}`, status: 200, want: "its answer is not that of a Prometheus"},
		{name: "another shape", body: `{"status":"success","data":{"resultType":"scalar","result":[]}}`, status: 200, want: "its answer is not that of a Prometheus"},
		{name: "gateway error", body: "bad gateway", status: 502, want: "it answers 502"},
		{name: "not allowed", body: "", status: 401, want: "it answers 401"},
		{name: "time-out inside", body: `{"status":"error","errorType":"timeout","error":"query timed out"}`, status: 503, want: "it answers 503: query timed out"},
		{name: "wrong query", body: `{"status":"error","errorType":"bad_data","error":"parse error"}`, status: 400, want: "does not understand the query: parse error", code: fault.Invalid},
		{name: "warning", body: `{"status":"success","warnings":["a store is gone"],"data":{"resultType":"matrix","result":[]}}`, status: 200, want: "it warns: a store is gone"},
		{name: "value without time", body: matrixOf(`{"metric":{},"values":[["x","1"]]}`), status: 200, want: "its answer is not that of a Prometheus"},
		{name: "value that is no text", body: matrixOf(`{"metric":{},"values":[[1,1]]}`), status: 200, want: "its answer is not that of a Prometheus"},
		{name: "out of order", body: matrixOf(`{"metric":{},"values":[[2,"1"],[1,"1"]]}`), status: 200, want: "not in order of time"},
		{name: "too many series", body: matrixOf(strings.TrimSuffix(strings.Repeat(`{"metric":{}},`, promMaxSeries+1), ",")), status: 200, want: "more than 10000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readAnswer(tc.status, []byte(tc.body), "matrix")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if tc.code != "" && fault.CodeOf(err) != tc.code {
				t.Errorf("the code is %s, want %s", fault.CodeOf(err), tc.code)
			}
		})
	}
}

func matrixOf(series string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + series + `]}}`
}

func TestAnAnswerIsRead(t *testing.T) {
	got, err := readAnswer(200, []byte(matrixOf(`{"metric":{"a":"b"},"values":[[1.5,"1"],[2,"NaN"],[3.001,"+Inf"]],`+
		`"histograms":[[4,{"count":"3","sum":"1","buckets":[[3,"-0.1","0.1","1"],[0,"1","2","2"]]}]]}`)), "matrix")
	if err != nil {
		t.Fatal(err)
	}
	v, h := got[0].Values, got[0].Histograms
	if v[0] != (promValue{1500, 1}) || !math.IsNaN(v[1].v) || v[2] != (promValue{3001, math.Inf(1)}) {
		t.Errorf("values are %v", v)
	}
	if h[0].t != 4000 || h[0].count != 3 || h[0].buckets[1] != (promBucket{1, 2, 2}) {
		t.Errorf("histograms are %v", h)
	}
}

func TestRedirectsAreFollowedOnlyAtHome(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("it was followed") }))
	defer elsewhere.Close()
	var to string
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ui/api/v1/query" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		io.WriteString(w, matrixOf(""))
	}))
	defer home.Close()
	api := apiOf(t, home.URL+"/ui", nil)
	to = elsewhere.URL + "/api/v1/query"
	if _, err := api.samples(context.Background(), selector{name: "n"}, time.Minute, start); err == nil || !strings.Contains(err.Error(), "redirects to another place") {
		t.Errorf("got %v", err)
	}
	to = home.URL + "/api/v1/query"
	if _, err := api.samples(context.Background(), selector{name: "n"}, time.Minute, start); err != nil {
		t.Errorf("a redirect at home: %v", err)
	}
	to = home.URL + "/ui/api/v1/query"
	if _, err := api.samples(context.Background(), selector{name: "n"}, time.Minute, start); err == nil || !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("a circle: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestASlowPrometheusIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := openFake(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		s, _, err := p.Sample(context.Background(), askAt(start), nil)
		if err != nil || !strings.Contains(s.Missing, "it does not answer") {
			t.Errorf("got %q, %v", s.Missing, err)
		}
		if took := time.Since(began); took != promTimeout {
			t.Errorf("it took %s, want %s", took, promTimeout)
		}
	})
}

func TestALargeAnswerIsRefused(t *testing.T) {
	api := apiOf(t, "http://prometheus.test", roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(endless{})}, nil
	}))
	if _, err := api.samples(context.Background(), selector{name: "n"}, time.Minute, start); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestAPasswordStaysSecret(t *testing.T) {
	p, err := NewPrometheus(PrometheusConfig{
		URL: "http://reader:hunter2@prometheus.test", Requests: `a{r="$revision"}`, Errors: `b{r="$revision"}`,
	}, roundTrip(func(r *http.Request) (*http.Response, error) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "hunter2" {
			t.Errorf("asked as %s:%s", user, password)
		}
		return nil, errors.New("connection refused")
	}))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := p.Sample(context.Background(), askAt(start), nil)
	if err != nil || strings.Contains(s.Missing, "hunter2") || !strings.Contains(s.Missing, "connection refused") {
		t.Errorf("got %q, %v", s.Missing, err)
	}
	if err := p.Probe(context.Background(), askAt(start)); fault.CodeOf(err) != fault.Unavailable || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("probe: %v", err)
	}
}

func TestAWrongQueryIsAFaultAndNotMissing(t *testing.T) {
	p := openFake(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		return answerWith(`{"status":"error","errorType":"bad_data","error":"missing closing parenthesis"}`), nil
	}))
	if _, _, err := p.Sample(context.Background(), askAt(start), nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}

// Whatever an answer holds, it is read or refused, and what is read is sound.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(matrixOf(`{"metric":{"pod":"b","le":"1"},"values":[[1.5,"1"],[2,"NaN"]]},{"metric":{"pod":"b","le":"+Inf"},"values":[[1.5,"1"],[2,"3"]]}`)))
	f.Add([]byte(matrixOf(`{"metric":{},"histograms":[[4,{"count":"3","sum":"1","buckets":[[3,"-0.1","0.1","1"],[0,"1","1.0905077326652577","2"]]}]]}`)))
	f.Add([]byte(matrixOf(`{"metric":{},"histograms":[[4,{"count":"1e300","buckets":[[0,"1","1e300","-2"],[0,"NaN","Inf","2"]]}]]}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := readAnswer(200, body, "matrix")
		if err != nil {
			return
		}
		if counters, err := readCounters(answer, "", selector{}); err == nil {
			for _, s := range counters {
				checkSteps(t, s)
			}
		}
		histograms, err := readHistograms(answer, "", "")
		if err != nil {
			return
		}
		bounds := commonBounds(nil, histograms)
		for _, h := range histograms {
			checkSteps(t, h.at(bounds))
		}
	})
}

func checkSteps(t *testing.T, s series) {
	for _, st := range s.steps(reading{}, false) {
		for i, n := range st.grown {
			if !(n >= 0) {
				t.Fatalf("the step to %d grew by %v", st.to, st.grown)
			}
			if st.from == 0 && i > 0 && n < st.grown[i-1] {
				t.Fatalf("the cumulative counts %v are not rising", st.grown)
			}
		}
	}
}
