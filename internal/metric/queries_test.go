package metric

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/router"
)

// What is told is what is asked: nothing more, nothing less, and no password.
func TestPrometheusTellsTheQueriesThatItAsks(t *testing.T) {
	store := &fakeStore{}
	for _, s := range append(slices.Clone(healthy), longAgo) {
		store.series = append(store.series, s.with("service", "a.b-web"))
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	p, err := NewPrometheus(PrometheusConfig{
		URL:       "http://reader:hunter2@prometheus.test?token=hunter3",
		Requests:  `requests_total{revision="$revision",service=~"$service-.+",region!="$region"}`,
		Errors:    `errors_total{revision="$revision",arm="$arm",environment="$environment"}`,
		Histogram: `seconds{revision="$revision"}`,
	}, roundTrip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		if selector, _, ranged := strings.Cut(form.Get("query"), "["); ranged {
			mu.Lock()
			asked[selector] = true
			mu.Unlock()
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return store.RoundTrip(r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	unreadable := CustomMetric{Name: "unreadable", Bad: `rate(bad_total[5m])`, Of: `all_total{revision="$revision"}`}
	var cursor []byte
	for _, seconds := range []int{18, 33, 48} {
		ask := askAt(start.Add(time.Duration(seconds) * time.Second))
		ask.Service, ask.Region, ask.Custom = "a.b", "eu", []CustomMetric{failures, value, unreadable}
		if _, cursor, err = p.Sample(t.Context(), ask, cursor); err != nil {
			t.Fatal(err)
		}
	}
	ask := askAt(start)
	ask.Service, ask.Region, ask.Custom = "a.b", "eu", []CustomMetric{failures, value, unreadable}
	told := map[string]bool{}
	queries := p.Queries(ask)
	for _, q := range queries {
		told[q.Query] = true
	}
	same(t, told, asked)
	for _, want := range []Query{
		{"requests", "stable", `requests_total{revision="r1",service=~"a\\.b-.+",region!="eu"}`},
		{"errors", "canary", `errors_total{revision="r2",arm="canary",environment="production"}`},
		{"failures.bad", "canary", `failed_total{revision="r2"}`},
		{"value.squares", "stable", `value_squares{revision="r1"}`},
	} {
		if !slices.Contains(queries, want) {
			t.Errorf("%+v is not told", want)
		}
	}
	if text, err := json.Marshal(queries); err != nil || strings.Contains(string(text), "hunter") {
		t.Errorf("%v: the queries are %s", err, text)
	}
}

func TestTheRouterTellsThatItReadsItsOwnCounters(t *testing.T) {
	r, err := NewRouter((*router.Client)(nil)) // which telling does not need
	if err != nil {
		t.Fatal(err)
	}
	ask := askAt(start)
	ask.Custom = []CustomMetric{failures} // which it does not count
	stable, canary := "the router's own counters of shop/production, revision r1", "the router's own counters of shop/production, revision r2"
	same(t, r.Queries(ask), []Query{
		{"requests", "stable", stable},
		{"errors", "stable", stable},
		{"histogram", "stable", stable},
		{"requests", "canary", canary},
		{"errors", "canary", canary},
		{"histogram", "canary", canary},
	})
}
