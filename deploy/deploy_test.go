// Package deploy has what Fairway is run with: units, an image, manifests, alerts and a
// dashboard. There is no code here but the tests that keep them true.
package deploy

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
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

// server runs a server with one release, whose stage has a worker, and returns its URL and
// a client of its admin.
func server(t *testing.T) (string, *client.Client) {
	t.Helper()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Server(ctx, app.ServerConfig{
			DataDir: dir, Listen: "127.0.0.1:0", NoWorker: true, Log: slog.New(slog.DiscardHandler), Out: io.Discard,
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

// names are the metrics that a server and a worker show.
func names(t *testing.T) []string {
	t.Helper()
	url, c := server(t)
	definition := "service: shop\nhost: {run: ./shop, listen: \"127.0.0.1:17300\"}\nenvironments:\n  - name: production\n    stages: [deploy]\n"
	if _, err := c.Create(t.Context(), client.NewRelease{
		Definition: definition, Artifact: "/srv/shop", Digest: "sha256:" + strings.Repeat("ab", 32), Version: "v1",
	}, ""); err != nil {
		t.Fatal(err)
	}
	if tasks, err := c.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1}); err != nil || len(tasks) != 1 {
		t.Fatalf("leased %v, %v", tasks, err)
	}
	text := body(t, url+"/metrics")
	text += workerMetrics(t, url)
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(\{| )`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
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

// asked are the expressions of the dashboard and of the alerts.
func asked(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("grafana/fairway.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, r := range rules(t) {
		all = append(all, r.Expr)
	}
	return all
}

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
	there := names(t)
	used := map[string]bool{}
	for _, expr := range asked(t) {
		for _, name := range metricName.FindAllString(expr, -1) {
			used[name] = true
			if !slices.Contains(there, name) {
				t.Errorf("%s: there is no metric %s", expr, name)
			}
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are asked for: %v", len(used), used)
	}
}

func TestEveryMetricIsInTheReference(t *testing.T) {
	reference, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t) {
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
