package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/replay"
)

// past is a Prometheus that has scraped two versions of a service for hours: the old
// one answers 100 requests a second with 0.2 % errors, the new one came at noon, has 10
// requests a second, and 20 % errors from broke on.
type past struct{ broke time.Time }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const scrape = 15 * time.Second

var rangeQuery = regexp.MustCompile(`^(requests_total|errors_total)\{.*v="(old|new)".*\}\[(\w+)\]$`)

func (p past) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	if strings.HasPrefix(query, "count(") {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`)
		return
	}
	m := rangeQuery.FindStringSubmatch(query)
	if m == nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":"what is %q"}`, query)
		return
	}
	span, _ := time.ParseDuration(m[3])
	seconds, _ := strconv.ParseFloat(r.FormValue("time"), 64)
	at := time.UnixMilli(int64(seconds*1000 + 0.5))
	var values []string
	for t := at.Add(-span).Truncate(scrape).Add(scrape); !t.After(at); t = t.Add(scrape) {
		if n, ok := p.count(m[1], m[2], t); ok {
			values = append(values, fmt.Sprintf(`[%d,"%d"]`, t.Unix(), n))
		}
	}
	result := ""
	if len(values) > 0 {
		result = fmt.Sprintf(`{"metric":{"__name__":%q,"v":%q,"pod":"%s-1"},"values":[%s]}`, m[1], m[2], m[2], strings.Join(values, ","))
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, result)
}

// count is what a counter of the version stood at.
func (p past) count(name, version string, at time.Time) (int64, bool) {
	from, rate := noon.Add(-4*time.Hour), 100.0
	if version == "new" {
		from, rate = noon, 10
	}
	if at.Before(from) {
		return 0, false
	}
	if name == "errors_total" {
		bad := rate * 0.002 * at.Sub(from).Seconds()
		if version == "new" && at.After(p.broke) {
			bad += rate * 0.2 * at.Sub(p.broke).Seconds()
		}
		return int64(bad), true
	}
	return int64(rate * at.Sub(from).Seconds()), true
}

func query(url string) cli.PastQuery {
	return cli.PastQuery{
		URL: url, Requests: `requests_total{v="$revision"}`, Errors: `errors_total{v="$revision"}`,
		Stable: "old", Canary: "new", From: noon.Add(5 * time.Minute), To: noon.Add(35 * time.Minute),
		Interval: scrape, WarmUp: 90 * time.Second,
	}
}

func TestAPastIncidentIsFoundSoonAfterItBegan(t *testing.T) {
	broke := noon.Add(20 * time.Minute)
	server := httptest.NewServer(past{broke})
	defer server.Close()
	s, err := app.Past(t.Context(), query(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Looks) != 120 || s.History.Minutes() < 60 {
		t.Errorf("%d looks and %d minutes of history", len(s.Looks), s.History.Minutes())
	}
	r, err := s.Record(judge.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	// The new version had a share of 1/11 all the time.
	if w := r.Looks[40].Sample.Weight; w < 0.07 || w > 0.11 || r.Opening.Settings.Middle > 0.11 {
		t.Errorf("the weight is %v, the middle level %v", w, r.Opening.Settings.Middle)
	}
	d, ok := r.Run(replay.AsItWas(r.Opening.Settings)).Decision()
	if late := d.At.Sub(broke); !ok || d.Kind != judge.Fail || late < 0 || late > 2*time.Minute {
		t.Errorf("it decided %s %s after the incident: %s", d.Kind, late, d.Said)
	}
}

func TestReplayOfAPrometheusOnTheCommandLine(t *testing.T) {
	server := httptest.NewServer(past{noon.Add(20 * time.Minute)})
	defer server.Close()
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := cli.New("test", app.Past, app.Find)
		root.SetOut(&out)
		root.SetErr(&out)
		q := query(server.URL)
		root.SetArgs(append([]string{"replay", "--prometheus", q.URL, "--requests", q.Requests, "--errors", q.Errors, "--stable", q.Stable,
			"--canary", q.Canary, "--from", q.From.Format(time.RFC3339), "--to", q.To.Format(time.RFC3339)}, args...))
		err := root.Execute()
		return out.String(), err
	}
	text, err := run()
	for _, want := range []string{"The judge decides after", "evidence of harm", "fail (worse)", "half the margins", "minutes of the past"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("it does not say %q (%v):\n%s", want, err, text)
		}
	}
	text, err = run("--set", "margin.errors=50pp", "--set", "falseAlarm=0.001%", "-o", "json")
	var all []struct{ Courses []replay.Course }
	if err != nil || json.Unmarshal([]byte(text), &all) != nil || len(all) != 1 || len(all[0].Courses) != 3 {
		t.Fatalf("%v: %s", err, text)
	}
	own, _ := all[0].Courses[0].Decision()
	sure, _ := all[0].Courses[2].Decision()
	if sure.Look < own.Look || own.Look == 0 || math.Abs(all[0].Courses[2].Threshold-100_000) > 1 {
		t.Errorf("with fewer false alarms (%v) it decides at look %d, by default at %d", all[0].Courses[2].Threshold, sure.Look, own.Look)
	}
	for _, wrong := range [][]string{{"shop"}, {"--weight", "2"}, {"--from", "yesterday"}, {"--set", "colour=red"}, {"--requests", `requests_total{v="$revision",s="$service"}`}} {
		if text, err := run(wrong...); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%v gives %v: %s", wrong, err, text)
		}
	}
	if text, err := run("--stable", "nothing"); err == nil || !strings.Contains(err.Error(), "nothing was compared") && fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("an arm that is not there gives %v: %s", err, text)
	}
}
