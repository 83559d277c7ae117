package metric

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeStore answers range selectors and count() from samples in memory, as
// Prometheus does, so that properties can be tried on thousands of histories.
type fakeStore struct{ series []promSeries }

func (f *fakeStore) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	at, err := parseNumber(form.Get("time"))
	if err != nil {
		return nil, err
	}
	query := form.Get("query")
	if name, ok := strings.CutPrefix(query, "count("); ok {
		return answerWith(f.count(strings.TrimSuffix(name, ")"))), nil
	}
	text, span, ok := strings.Cut(strings.TrimSuffix(query, "]"), "[")
	s, parseErr := parseSelector(text)
	d, durationErr := time.ParseDuration(span)
	if !ok || parseErr != nil || durationErr != nil {
		return answerWith(`{"status":"error","errorType":"bad_data","error":"parse error"}`), nil
	}
	ms := int64(at*1000 + 0.5)
	return answerWith(f.matrix(s, ms-d.Milliseconds(), ms)), nil
}

func (f *fakeStore) count(name string) string {
	for _, s := range f.series {
		if s.Metric["__name__"] == name {
			return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`
		}
	}
	return `{"status":"success","data":{"resultType":"vector","result":[]}}`
}

func (f *fakeStore) matrix(s selector, from, to int64) string {
	result := []any{}
	for _, raw := range f.series {
		values := [][2]any{}
		for _, v := range raw.Values {
			if v.t > from && v.t <= to {
				values = append(values, [2]any{float64(v.t) / 1000, fmt.Sprint(v.v)})
			}
		}
		if len(values) > 0 && s.matches(raw.Metric) {
			result = append(result, map[string]any{"metric": raw.Metric, "values": values})
		}
	}
	b, err := json.Marshal(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s selector) matches(labels map[string]string) bool {
	if s.name != "" && labels["__name__"] != s.name {
		return false
	}
	for _, m := range s.matchers {
		same := labels[m.label] == m.value
		if strings.HasSuffix(m.op, "~") {
			same = regexp.MustCompile("^(?:" + m.value + ")$").MatchString(labels[m.label])
		}
		if same == strings.HasPrefix(m.op, "!") {
			return false
		}
	}
	return true
}

func answerWith(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// openFake makes a source of requests_total, errors_total and seconds on the store.
func openFake(t testing.TB, f http.RoundTripper) *Prometheus {
	t.Helper()
	p, err := NewPrometheus(PrometheusConfig{
		URL:       "http://prometheus.test",
		Requests:  `requests_total{revision="$revision"}`,
		Errors:    `errors_total{revision="$revision"}`,
		Histogram: `seconds{revision="$revision"}`,
		Interval:  textDuration(15 * time.Second),
	}, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var start = time.UnixMilli(1_800_000_000_000).UTC()

func askAt(now time.Time) Ask {
	return Ask{Service: "shop", Environment: "production", Stable: "r1", Canary: "r2", Weight: 0.5, Now: now, WarmUp: 30 * time.Second}
}

// line is one series with a sample every 15 s, the first at start + offset; a
// value below zero means that the scrape failed.
func line(name, revision, pod string, offset time.Duration, values ...float64) promSeries {
	s := promSeries{Metric: map[string]string{"__name__": name, "revision": revision, "pod": pod}}
	for i, v := range values {
		if v != failed {
			s.Values = append(s.Values, promValue{start.Add(offset + time.Duration(i)*15*time.Second).UnixMilli(), v})
		}
	}
	return s
}

const failed = -1

// longAgo is an instance of stable that was scraped and then went, which shows
// that the store did not only just begin.
var longAgo = line("requests_total", "r1", "gone", -time.Minute, 1)

func (s promSeries) with(label, value string) promSeries {
	m := map[string]string{label: value}
	for k, v := range s.Metric {
		if k != label {
			m[k] = v
		}
	}
	s.Metric = m
	return s
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
