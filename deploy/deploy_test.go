// Package deploy has what Fairway is run with: units, an image, manifests, alerts and a
// dashboard. There is no code here but the tests that keep them true.
package deploy

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/stage"
)

// server runs a server, and returns its URL and a client of its admin.
func server(t *testing.T) (string, *client.Client) {
	t.Helper()
	return serverOn(t, t.TempDir(), "")
}

// serverOn runs a server with the data folder and the PostgreSQL, or a file where there is none.
func serverOn(t *testing.T, dir, database string) (string, *client.Client) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Server(ctx, app.ServerConfig{
			DataDir: dir, Database: database, Listen: "127.0.0.1:0", NoWorker: true, Log: slog.New(slog.DiscardHandler), Out: io.Discard,
			Ready: func(url string) { ready <- url },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case url := <-ready:
		token, err := os.ReadFile(filepath.Join(dir, "admin-token"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.New(client.Config{URL: url, Token: strings.TrimSpace(string(token))})
		if err != nil {
			t.Fatal(err)
		}
		return url, c
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return "", nil
	}
}

// metrics are those that a server and a worker show: of each its labels, and their values.
type metrics map[string]map[string][]string

func shown(t *testing.T) metrics {
	t.Helper()
	url, c := server(t)
	ship(t, c)
	if tasks, err := c.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1}); err != nil || len(tasks) != 1 {
		t.Fatalf("leased %v, %v", tasks, err)
	}
	return parse(body(t, url+"/metrics") + workerMetrics(t, url))
}

var (
	seriesLine = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	labelPair  = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

func parse(text string) metrics {
	all := metrics{}
	for _, line := range seriesLine.FindAllStringSubmatch(text, -1) {
		labels := all[line[1]]
		if labels == nil {
			labels = map[string][]string{}
			all[line[1]] = labels
		}
		for _, pair := range labelPair.FindAllStringSubmatch(line[2], -1) {
			labels[pair[1]] = append(labels[pair[1]], pair[2])
		}
	}
	return all
}

// workerMetrics are those of a worker process, whose token its server refuses.
func workerMetrics(t *testing.T, url string) string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- app.Worker(ctx, app.WorkerConfig{
			Server: url, TokenFile: token, Name: "w", DataDir: t.TempDir(), MetricsListen: "127.0.0.1:0",
			Log: slog.New(slog.DiscardHandler), MetricsReady: func(a string) { address <- a },
		})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case a := <-address:
		return body(t, "http://"+a+"/metrics")
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return ""
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, res.StatusCode, err)
	}
	return string(text)
}

var metricName = regexp.MustCompile(`\b(fairway|process|go)_[a-z0-9_]+\b`)

// question is an expression of the dashboard or of an alert, and what is written about its
// answers.
type question struct{ expr, told string }

// asked are the questions of the dashboard and of the alerts.
func asked(t *testing.T) []question {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	text, err := os.ReadFile("grafana/fairway.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []question
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, question{target.Expr, target.LegendFormat})
		}
	}
	for _, r := range rules(t) {
		all = append(all, question{r.Expr, r.Annotations["summary"] + r.Annotations["description"]})
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b((?:fairway|process|go)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!=|!~|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	named    = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)
)

// faults are the names, labels and values in a question that are not there. Prometheus
// itself gives every series a job and an instance.
func (q question) faults(there metrics) (faults []string) {
	var labels []string
	for _, name := range metricName.FindAllString(q.expr, -1) {
		if _, ok := there[name]; !ok {
			faults = append(faults, "there is no metric "+name)
		}
		labels = append(labels, slices.Collect(maps.Keys(there[name]))...)
	}
	scraped := []string{"job", "instance"}
	for _, s := range selector.FindAllStringSubmatch(q.expr, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			values, ok := there[s[1]][m[1]]
			switch {
			case slices.Contains(scraped, m[1]):
			case !ok:
				faults = append(faults, s[1]+" has no label "+m[1])
			case m[2] == "=" && !slices.Contains(values, m[3]):
				faults = append(faults, s[1]+" has no "+m[1]+" "+m[3])
			}
		}
	}
	labels = append(labels, scraped...)
	if by := grouping.FindAllStringSubmatch(q.expr, -1); by != nil {
		left := []string{}
		for _, g := range by {
			for _, label := range strings.Split(g[1], ",") {
				left = append(left, strings.TrimSpace(label))
			}
		}
		for _, label := range left {
			if !slices.Contains(labels, label) {
				faults = append(faults, "nothing has a label "+label)
			}
		}
		labels = left
	} else if aggregated.MatchString(q.expr) {
		labels = nil
	}
	for _, n := range named.FindAllStringSubmatch(q.told, -1) {
		if !slices.Contains(labels, n[1]) {
			faults = append(faults, "the answers have no label "+n[1])
		}
	}
	return faults
}

// aggregated leaves no label where it says by none.
var aggregated = regexp.MustCompile(`\b(?:sum|max|min|count) ?\(`)

type rule struct {
	Alert, Expr string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	text, err := os.ReadFile("prometheus/fairway.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

func TestDashboardAndAlertsAskForMetricsThatAreThere(t *testing.T) {
	there := shown(t)
	used := map[string]bool{}
	for _, q := range asked(t) {
		for _, name := range metricName.FindAllString(q.expr, -1) {
			used[name] = true
		}
		for _, fault := range q.faults(there) {
			t.Errorf("%s (%s): %s", q.expr, q.told, fault)
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are asked for: %v", len(used), used)
	}
}

func TestAWrongQuestionIsFound(t *testing.T) {
	there := parse("fairway_tasks{environment=\"production\",state=\"waiting\"} 1\nfairway_due_lag_seconds 0\n")
	for _, c := range []struct{ expr, told, fault string }{
		{`max by (environment) (fairway_tasks{state="waiting"})`, "{{environment}}", ""},
		{`fairway_tasks{job="x",state=~"w.*"}`, "{{instance}} {{state}}", ""},
		{`max(fairway_due_lag_seconds)`, "{{ $value }} lag", ""},
		{`max(fairway_due_lags)`, "", "there is no metric fairway_due_lags"},
		{`max by (stage) (fairway_tasks)`, "", "nothing has a label stage"},
		{`sum(fairway_tasks{stat="waiting"})`, "", "fairway_tasks has no label stat"},
		{`sum(fairway_tasks{state="wating"})`, "", "fairway_tasks has no state wating"},
		{`max by (environment) (fairway_tasks)`, "{{state}}", "the answers have no label state"},
		{`max(fairway_tasks)`, "{{ $labels.environment }}", "the answers have no label environment"},
	} {
		if got := strings.Join(question{c.expr, c.told}.faults(there), ", "); got != c.fault {
			t.Errorf("%s (%s): %q, want %q", c.expr, c.told, got, c.fault)
		}
	}
}

// A panel that counts shows a zero where there is nothing to count, which is just when people look.
func TestWhatIsCountedIsZeroWhereThereIsNothing(t *testing.T) {
	for _, q := range asked(t) {
		if strings.HasPrefix(q.expr, "count(") && !strings.HasSuffix(q.expr, " or vector(0)") {
			t.Errorf("%s shows no data instead of 0", q.expr)
		}
	}
}

func TestEveryMetricIsInTheReference(t *testing.T) {
	reference, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range shown(t) {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "fairway_") && !strings.Contains(string(reference), "`"+base+"`") {
			t.Errorf("docs/operations.md does not tell of %s", base)
		}
	}
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		_, heading, _ := strings.Cut(r.Annotations["runbook"], "docs/operations.md#")
		found := false
		for _, line := range strings.Split(string(text), "\n") {
			title, isHeading := strings.CutPrefix(line, "### ")
			found = found || isHeading && heading != "" && strings.ToLower(title) == heading
		}
		if !found {
			t.Errorf("docs/operations.md has no part %q, to which %s leads", heading, r.Alert)
		}
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool on this machine")
	}
	for _, args := range [][]string{{"check", "rules", "fairway.rules.yaml"}, {"test", "rules", "fairway.rules.test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "prometheus"
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	tests, err := os.ReadFile("prometheus/fairway.rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		if !strings.Contains(string(tests), "alertname: "+r.Alert+"\n        exp_alerts:") {
			t.Errorf("no test sees %s fire", r.Alert)
		}
	}
}
