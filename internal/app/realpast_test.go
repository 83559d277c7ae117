package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/replay"
)

// exposition writes what two instances of either version exposed, up to to, as
// promtool reads it. Slow is the share of requests that took more than 0.25 s.
func (p past) exposition(w io.Writer, to time.Time) {
	const slow = 0.01
	type series struct {
		metric, labels string
		value          func(version string, at time.Time) (float64, bool)
	}
	half := func(name string, share float64) func(string, time.Time) (float64, bool) {
		return func(version string, at time.Time) (float64, bool) {
			n, ok := p.count(name, version, at)
			return float64(int64(float64(n) / 2 * share)), ok
		}
	}
	for _, family := range []struct {
		name, kind string
		series     []series
	}{
		{"requests", "counter", []series{{"requests_total", "", half("requests_total", 1)}}},
		{"errors", "counter", []series{{"errors_total", "", half("errors_total", 1)}}},
		{"seconds", "histogram", []series{
			{"seconds_bucket", `,le="0.25"`, half("requests_total", 1-slow)},
			{"seconds_bucket", `,le="+Inf"`, half("requests_total", 1)},
			{"seconds_count", "", half("requests_total", 1)},
		}},
	} {
		fmt.Fprintf(w, "# TYPE %s %s\n", family.name, family.kind)
		for _, version := range []string{"old", "new"} {
			for _, pod := range []string{"1", "2"} {
				// A histogram's buckets stand together at each instant.
				for at := noon.Add(-4 * time.Hour); !at.After(to); at = at.Add(scrape) {
					for _, s := range family.series {
						if n, ok := s.value(version, at); ok {
							fmt.Fprintf(w, "%s{v=%q,pod=\"%s-%s\"%s} %g %d\n", s.metric, version, version, pod, s.labels, n, at.Unix())
						}
					}
				}
			}
		}
	}
	fmt.Fprintln(w, "# EOF")
}

// realPrometheus starts a Prometheus that has what p exposed in its past.
func (p past) realPrometheus(t *testing.T, to time.Time) (url string) {
	t.Helper()
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s on this machine; it is in the Debian package prometheus", program)
		}
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var text bytes.Buffer
	p.exposition(&text, to)
	for name, content := range map[string][]byte{"exposed": text.Bytes(), "prometheus.yml": []byte("{}\n")} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", path("exposed"), path("data")).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	l.Close()
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+path("prometheus.yml"), "--storage.tsdb.path="+path("data"),
		"--storage.tsdb.retention.time=100y", "--web.listen-address="+l.Addr().String(), "--log.level=warn")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the context has ended by now, and with it the process
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", log.String())
		}
	})
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); ; {
		select {
		case <-late:
			t.Fatal("prometheus does not become ready")
		case <-tick.C:
		}
		if res, err := http.Get(url + "/-/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return url
			}
		}
	}
}

func TestReplayOfARealPrometheusFindsTheMoment(t *testing.T) {
	broke, to := noon.Add(9*time.Minute), noon.Add(20*time.Minute)
	incident := past{broke}
	url := incident.realPrometheus(t, to.Add(time.Minute))
	var out bytes.Buffer
	root := cli.New("test", app.Past, app.Find)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs([]string{"replay", "--prometheus", url, "--requests", `requests_total{v="$revision"}`, "--errors", `errors_total{v="$revision"}`,
		"--histogram", `seconds{v="$revision"}`, "--instance", "pod", "--stable", "old", "--canary", "new",
		"--from", noon.Add(5 * time.Minute).Format(time.RFC3339), "--to", to.Format(time.RFC3339), "-o", "json"})
	if err := root.Execute(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	var all []struct{ Courses []replay.Course }
	if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != 1 || len(all[0].Courses) == 0 {
		t.Fatalf("%v: %s", err, out.String())
	}
	own := all[0].Courses[0]
	d, ok := own.Decision()
	if !ok || d.Kind != judge.Fail || !strings.Contains(d.Said, "errors") {
		t.Fatalf("it decided %+v", d)
	}
	// 2 of 10 requests a second fail from then on. The looks are a scrape apart and
	// somewhat behind, and the second that sees the incident whole must be enough.
	if late := d.At.Sub(broke); late <= 0 || late > 75*time.Second {
		t.Errorf("it decided at %s, %s after the incident began", d.At.Format(time.TimeOnly), late)
	}
	for _, s := range own.Steps {
		at := noon.Add(5*time.Minute + time.Duration(s.Seconds*float64(time.Second)))
		if at.Before(broke) && s.Evidence > 2 {
			t.Errorf("at %s, before the incident, the evidence is %v", at.Format(time.TimeOnly), s.Evidence)
		}
	}
	t.Logf("decided %s after the incident, after %d requests and %d errors of the canary: %s", d.At.Sub(broke), d.Requests, d.Errors, d.Said)
}
