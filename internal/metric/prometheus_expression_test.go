package metric

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

func TestAnExpressionIsFilled(t *testing.T) {
	values := map[string]string{"$revision": `a"b.c`, "$service": "shop"}
	for text, want := range map[string]string{
		`sum(increase(n{r="$revision"}[$window]))`:                 `sum(increase(n{r="a\"b.c"}[60000ms]))`,
		`f(n{r =~ '$revision|x'}[$window]) or f(n{s!~"$service"})`: `f(n{r =~ "a\"b\\.c|x"}[60000ms]) or f(n{s!~"shop"})`,
		`n{r="$revision"} - (n{r="$revision"} offset $window)`:     `n{r="a\"b.c"} - (n{r="a\"b.c"} offset 60000ms)`,
		"f(n{r=`$revision`}[$window:$window]) # \"":                "",
	} {
		s, err := parseQuery(text)
		if want == "" {
			if err == nil {
				t.Errorf("%s was taken", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.fill(values).over(time.Minute); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

func TestAnExpressionIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`rate(n{r="$revision"}[5m])`:                "write a selector such as",
		`rate(n{r="$window$revision"}[5m])`:         "it does not say $window outside of strings",
		`f(n{r="$revision"}[$window])) or (up`:      "it closes more brackets than it opens",
		`f(n{r="$revision"}[$window]`:               "a bracket is not closed",
		`f(n{r="$revision}[$window])`:               "the closing \" is missing",
		`f(n{r="$revision"}[$window]) # really`:     "it has a comment",
		`f(n{r="$revision"}[$window]) * $weight`:    "$weight stands outside of a string",
		`f(n{r="$revision",x="$version"}[$window])`: "there is no $version",
		`f(n{r="v1"}[$window])`:                     "it selects the same for both arms",
	} {
		if _, faults := readQuery(text); len(faults) == 0 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v, want %q", text, faults, want)
		}
	}
	c := PrometheusConfig{URL: "http://p", Requests: `n{r="$arm"}`, Errors: `n{r="$arm"}`, Histogram: `f(n{r="$arm"}[$window])`}
	if err := c.Validate(); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "histogram: it has $window") {
		t.Errorf("an expression as the histogram: %v", err)
	}
}

// windows is a Prometheus that is asked for windows of a minute: it gives amounts by the end
// of the window and the arm's revision. One that is not there is a gap.
type windows struct {
	requests, errors map[string]map[int64]float64 // by revision, then by minutes since start
	mu               sync.Mutex
	asked            []string
}

func (w *windows) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	query := form.Get("query")
	w.mu.Lock()
	w.asked = append(w.asked, query)
	w.mu.Unlock()
	at, err := parseNumber(form.Get("time"))
	if err != nil {
		return nil, err
	}
	_, span, _ := strings.Cut(strings.TrimSuffix(query, ":60000ms]"), ")[")
	reach, err := time.ParseDuration(span)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	amounts := w.requests
	if strings.Contains(query, "errors_total") {
		amounts = w.errors
	}
	revision := "r1"
	if strings.Contains(query, `"r2"`) {
		revision = "r2"
	}
	var values []string
	for minute := int64(-60); minute < 60; minute++ {
		end := start.Add(time.Duration(minute) * time.Minute)
		n, ok := amounts[revision][minute]
		if ok && float64(end.Unix()) <= at && float64(end.Unix()) > at-reach.Seconds() {
			values = append(values, fmt.Sprintf(`[%d,"%g"]`, end.Unix(), n))
		}
	}
	result := ""
	if len(values) > 0 {
		result = fmt.Sprintf(`{"metric":{"pod":%q},"values":[%s]}`, revision, strings.Join(values, ","))
	}
	return answerWith(`{"status":"success","data":{"resultType":"matrix","result":[` + result + `]}}`), nil
}

func openWindows(t *testing.T, w *windows) *Prometheus {
	t.Helper()
	p, err := NewPrometheus(PrometheusConfig{
		URL:      "http://prometheus.test",
		Requests: `sum by (pod) (increase(requests_total{revision="$revision"}[$window]))`,
		Errors:   `sum by (pod) (increase(errors_total{revision="$revision"}[$window]))`,
		Interval: textDuration(time.Minute),
	}, w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// every is the amount in each window from one minute to the next.
func every(from, to int64, n float64) map[int64]float64 {
	all := map[int64]float64{}
	for m := from; m <= to; m++ {
		all[m] = n
	}
	return all
}

// add looks at every so many seconds and adds up what there is.
func add(t *testing.T, p *Prometheus, seconds int, to time.Duration) (sum judge.Sample, missing []string) {
	t.Helper()
	var cursor []byte
	for at := time.Duration(0); at <= to; at += time.Duration(seconds) * time.Second {
		ask := askAt(start.Add(at))
		s, next, err := p.Sample(t.Context(), ask, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; s.Missing != "" {
			missing = append(missing, s.Missing)
			continue
		}
		sum.Stable.Requests, sum.Stable.Errors = sum.Stable.Requests+s.Stable.Requests, sum.Stable.Errors+s.Stable.Errors
		sum.Canary.Requests, sum.Canary.Errors = sum.Canary.Requests+s.Canary.Requests, sum.Canary.Errors+s.Canary.Errors
	}
	return sum, missing
}

// What each look gives depends on when one looks, and what all of them give does not.
func TestEachWindowIsCountedOnceHoweverOftenOneLooks(t *testing.T) {
	w := &windows{
		requests: map[string]map[int64]float64{"r1": every(-20, 20, 100.5), "r2": every(-20, 20, 99)},
		errors:   map[string]map[int64]float64{"r1": every(-20, 20, 0), "r2": every(-20, 20, 2.25)},
	}
	for _, seconds := range []int{5, 15, 45, 90, 105, 210} {
		// The first look ends with the window of -2, the last with that of 9.
		sum, _ := add(t, openWindows(t, w), seconds, 10*time.Minute+30*time.Second)
		got := [4]int64{sum.Stable.Requests, sum.Stable.Errors, sum.Canary.Requests, sum.Canary.Errors}
		if want := [4]int64{1105, 0, 1089, 24}; got != want {
			t.Errorf("every %d s: counted %v, want %v", seconds, got, want)
		}
	}
	for _, query := range w.asked {
		if !strings.HasPrefix(query, "(sum by (pod) (increase(") || !strings.HasSuffix(query, ":60000ms]") || !strings.Contains(query, "[60000ms]))") {
			t.Fatalf("it asked %s", query)
		}
	}
}

func TestAnExpressionMustGiveZeroWhereThereAreNoErrors(t *testing.T) {
	w := &windows{
		requests: map[string]map[int64]float64{"r1": every(-20, 20, 100), "r2": every(-20, 20, 100)},
		errors:   map[string]map[int64]float64{"r1": every(-20, 20, 1), "r2": every(5, 5, 50)},
	}
	sum, missing := add(t, openWindows(t, w), 15, 4*time.Minute)
	if sum.Stable.Requests != 0 || !slices.Contains(missing, "the errors query gives nothing of the canary arm for a window; it must give 0 where there are none") {
		t.Errorf("%+v, %q", sum, missing)
	}
}

func TestNothingOfAWindowIsNoEvidence(t *testing.T) {
	w := &windows{
		requests: map[string]map[int64]float64{"r1": every(-20, 20, 100), "r2": every(-20, 3, 100)},
		errors:   map[string]map[int64]float64{"r1": every(-20, 20, 0), "r2": every(-20, 20, 0)},
	}
	sum, missing := add(t, openWindows(t, w), 15, 10*time.Minute)
	if sum.Canary.Requests > 500 || !strings.HasPrefix(missing[len(missing)-1], "nothing of the canary arm has been scraped since ") {
		t.Errorf("%+v, %q", sum, missing)
	}
}

func TestThePastByWindows(t *testing.T) {
	w := &windows{
		requests: map[string]map[int64]float64{"r1": every(-60, 0, 100)},
		errors:   map[string]map[int64]float64{"r1": every(-60, 0, 1)},
	}
	h, err := openWindows(t, w).History(context.Background(), askAt(start), 30*time.Minute)
	if err != nil || h.Validate() != nil || len(h.Instances) != 1 || h.Minutes() != 30 {
		t.Fatalf("%v: %+v", err, h)
	}
	for m := 1; m < 30; m++ { // before the first minute nothing is known
		if h.Instances[0].Requests[m] != 100 || h.Instances[0].Errors[m] != 1 {
			t.Errorf("minute %d had %d requests and %d errors", m, h.Instances[0].Requests[m], h.Instances[0].Errors[m])
		}
	}
}

// testWindows is a case of TestRealPrometheus: what an expression gives exactly is counted
// exactly.
func testWindows(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("windows", "r1"), e("canary").start("windows", "r2")
	stable.serve(1000, 10, 0.2)
	w := d.watch(t, "windows", `classic_seconds{service="$service",revision="$revision"}`)
	c := w.source.config
	of := func(name string) string {
		s := name + `{service="$service",revision="$revision"}`
		return "sum by (pod) (" + s + " - " + s + " offset $window)"
	}
	c.Requests, c.Errors = of("requests_total"), of("errors_total")
	var err error
	if w.source, err = NewPrometheus(c, nil); err != nil {
		t.Fatal(err)
	}
	w.settle(1)
	stable.serve(40, 2, 0.05)
	canary.serve(30, 5, 2)
	w.until(40, 2, 30, 5)
	same(t, w.stableL, []int64{40, 0, 0, 0})
}
