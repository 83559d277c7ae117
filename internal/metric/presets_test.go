package metric

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// openPreset opens the source that a plan with the preset leads to.
func openPreset(t *testing.T, name, url string) *Prometheus {
	t.Helper()
	plan := pipeline.Presets()[name]
	plan.URL, plan.Interval = url, pipeline.Duration(time.Second)
	config, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	source, err := Open("prometheus", config, Deps{})
	if err != nil {
		t.Fatalf("the preset %s: %v", name, err)
	}
	return source.(*Prometheus)
}

func TestThereIsAShapeOfEveryPreset(t *testing.T) {
	same(t, slices.Sorted(maps.Keys(shapes)), slices.Sorted(maps.Keys(pipeline.Presets())))
}

// selects tells whether the selector selects the scraped line.
func selects(t *testing.T, s selector, line string) bool {
	t.Helper()
	text, _, _ := strings.Cut(line, "} ")
	scraped, err := parseSelector(text + "}")
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	labels := map[string]string{"__name__": scraped.name}
	for _, m := range scraped.matchers {
		labels[m.label] = m.value
	}
	return s.matches(labels)
}

func TestThePresetsTellArmsApartWhoseNamesBeginAlike(t *testing.T) {
	others := []string{"shops/my-shop", "shops/shop-http", "shops/shop-http-80", "shops/shop-r-0123456789ab-2", "shops/shop-80", "shop/shop", "my-shops/shop", "shops-r/shop"}
	for _, arms := range [][2]string{
		{"shops/shop", "shops/shop-r-0123456789ab"},
		{"shops/shop-r-0123456789ab", "shops/shop"},
		{"shops/shop", "shops/sho"},
		{"shops/shop", "shops/shop-r"},
		{"shops/shop-r", "shops/shop-r-0123456789ab"},
		{"shops/s", "shops/shop"},
	} {
		for name, shape := range shapes {
			ask := Ask{Service: "shop", Environment: "production", Stable: "r1", Canary: "r2", StableBackend: arms[0], CanaryBackend: arms[1]}
			p := openPreset(t, name, "http://prometheus.test")
			lines := map[string][]string{}
			for _, backend := range slices.Concat(arms[:], others) {
				namespace, service, _ := strings.Cut(backend, "/")
				lines[backend] = strings.Split(strings.TrimSpace(shape(sent{namespace, service, 1, 1})), "\n")
			}
			for i, arm := range ask.arms() {
				for query := range p.queries {
					s, _ := p.armSelector(query, ask, arm)
					for backend, all := range lines {
						found := slices.ContainsFunc(all, func(line string) bool { return selects(t, s, line) })
						if found != (backend == arms[i]) {
							t.Errorf("%s, the %s of %s: %s selects what was sent to %s: %v", name, query, arms[i], s, backend, found)
						}
					}
				}
			}
		}
	}
}

// show makes the exporter show what a gateway has sent.
func (e *exporter) show(shape func(sent) string, all ...sent) {
	var text strings.Builder
	for _, s := range all {
		text.WriteString(shape(s))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, text.String()) // who hung up is not there to be told
	})
}

// testPreset is a case of TestRealPrometheus: the preset counts each arm by itself, and its
// latencies in seconds.
func testPreset(name string) func(*testing.T, *daemon, func(string) *exporter) {
	return func(t *testing.T, d *daemon, e func(string) *exporter) {
		// What all tests scrape is in one Prometheus, so each has its own namespace.
		namespace := "shops-" + name
		stable, canary, shape := sent{namespace, "shop", 1000, 10}, sent{namespace, "shop-r-0123456789ab", 3, 1}, shapes[name]
		other := sent{namespace, "shop-r-0123456789ab-2", 50, 50}
		gateway := e("stable")
		gateway.show(shape, stable, canary, other)
		w := &watch{t: t, source: openPreset(t, name, "http://"+d.address), ask: Ask{
			Service: "shop", Environment: "production", Stable: "r1", Canary: "r2", Weight: 0.3,
			StableBackend: namespace + "/shop", CanaryBackend: namespace + "/shop-r-0123456789ab",
		}}
		w.settle(1)
		stable.ok, stable.failed = stable.ok+40, stable.failed+2
		canary.ok, canary.failed = canary.ok+11, canary.failed+5
		other.ok += 9
		gateway.show(shape, stable, canary, other)
		w.until(42, 2, 16, 5)
		if told, want := w.latest.Canary.ErrorsBy != nil, pipeline.Presets()[name].Instance != "none"; told != want {
			t.Errorf("instances of the version are told: %v, want %v", told, want)
		}
		if pipeline.Presets()[name].Histogram == "" {
			return
		}
		same(t, w.stable.Latency.Bounds, []float64{0.1, 0.3, 1.2})
		same(t, w.stableL, []int64{0, 42, 0, 0})
		same(t, w.canryL, []int64{0, 16, 0, 0})
	}
}
