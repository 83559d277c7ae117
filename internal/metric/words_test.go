package metric

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// byBackend is a source whose queries ask by what the platform sends traffic to.
func byBackend(t *testing.T, store *fakeStore) *Prometheus {
	t.Helper()
	p, err := NewPrometheus(PrometheusConfig{
		URL:      "http://prometheus.test",
		Requests: `requests_total{to="$namespace/$backend"}`,
		Errors:   `errors_total{to=~"$namespace/$backend"}`,
	}, store)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestQueriesAskByWhatTrafficGoesTo(t *testing.T) {
	ask := askAt(start)
	ask.StableBackend, ask.CanaryBackend = "shops/a.b", "shops/a.b-r-0123456789ab"
	queries := byBackend(t, &fakeStore{}).Queries(ask)
	for _, want := range []Query{
		{"requests", "stable", `requests_total{to="shops/a.b"}`},
		{"requests", "canary", `requests_total{to="shops/a.b-r-0123456789ab"}`},
		{"errors", "stable", `errors_total{to=~"shops/a\\.b"}`},
	} {
		if !slices.Contains(queries, want) {
			t.Errorf("%v lack %v", queries, want)
		}
	}
}

// A label that is empty is one that is not there, so an empty name would select what
// belongs to neither arm.
func TestAnArmWithoutABackendIsNotAskedFor(t *testing.T) {
	for name, backends := range map[string][2]string{
		"both":                        {},
		"the canary":                  {"shops/shop", ""},
		"the namespace of the canary": {"shops/shop", "shop-r-0123456789ab"},
	} {
		store := &fakeStore{series: []promSeries{line("requests_total", "r1", "a", -time.Minute, 1, 2, 3, 4, 5, 6)}}
		p := byBackend(t, store)
		var cursor []byte
		for _, seconds := range []int{18, 33, 48} {
			ask := askAt(start.Add(time.Duration(seconds) * time.Second))
			ask.StableBackend, ask.CanaryBackend = backends[0], backends[1]
			s, next, err := p.Sample(t.Context(), ask, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(s.Missing, "and the platform names none for the") {
				t.Errorf("%s: the sample is %+v", name, s)
			}
			cursor = next
		}
	}
}

func TestThePastAndAProbeNeedTheBackendOfStable(t *testing.T) {
	p := byBackend(t, &fakeStore{})
	if _, err := p.History(t.Context(), askAt(start), time.Hour); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "$namespace") {
		t.Errorf("the past: %v", err)
	}
	if err := p.Probe(context.Background(), askAt(start)); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "$namespace") {
		t.Errorf("a probe: %v", err)
	}
}

func TestACustomMetricAsksByBackendToo(t *testing.T) {
	store := &fakeStore{series: append(slices.Clone(healthy), longAgo)}
	p := openFake(t, store)
	ask := askAt(start.Add(18 * time.Second))
	ask.Custom = []CustomMetric{{Name: "failures", Bad: `failed_total{to="$backend"}`, Of: `done_total{to="$backend"}`}}
	_, cursor, err := p.Sample(t.Context(), ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Now = start.Add(33 * time.Second)
	s, _, err := p.Sample(t.Context(), ask, cursor)
	if err != nil || s.Missing != "" || len(s.Custom) != 1 || !strings.Contains(s.Custom[0].Missing, "the of query asks by $backend") {
		t.Errorf("%v: %+v", err, s)
	}
}

// Where there is no gateway, one name may lead to both.
func TestArmsWithOneBackendAreComparedOnlyByOtherWords(t *testing.T) {
	ask := askAt(start.Add(18 * time.Second))
	ask.StableBackend, ask.CanaryBackend = "shops/shop", "shops/shop"
	s, _, err := byBackend(t, &fakeStore{}).Sample(t.Context(), ask, nil)
	if err != nil || !strings.Contains(s.Missing, "the traffic of both arms goes to shops/shop") {
		t.Errorf("both go to shops/shop: %v: %+v", err, s)
	}
	store := &fakeStore{series: append(slices.Clone(healthy), longAgo)}
	s, _, err = openFake(t, store).Sample(t.Context(), ask, nil)
	if err != nil || s.Missing != firstLook {
		t.Errorf("the queries ask by revision, and yet: %v: %+v", err, s)
	}
}
