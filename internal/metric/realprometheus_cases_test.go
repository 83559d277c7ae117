package metric

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRealPrometheus runs all cases side by side against one Prometheus, because
// each has to wait for scrapes.
func TestRealPrometheus(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for scrapes of a real Prometheus")
	}
	t.Parallel()
	cases := map[string]func(*testing.T, *daemon, func(string) *exporter){
		"classic":   testClassic,
		"native":    testNative,
		"reset":     testReset,
		"killed":    testKilled,
		"late":      testLateCanary,
		"notnumber": testNotANumber,
		"history":   testHistory,
		"probe":     testProbe,
		"find":      testFind,
		"worker":    testWithoutHistogram,
		"custom":    testCustomMetrics,
		"windows":   testWindows,
	}
	for name := range shapes {
		cases["preset-"+name] = testPreset(name)
	}
	exporters := map[string]*exporter{}
	for name := range cases {
		for _, pod := range []string{"stable", "stable2", "canary"} {
			exporters[name+"-"+pod] = newExporter(t)
		}
	}
	d := startDaemon(t, exporters)
	// From goroutines, so that they wait together also where few tests may run in parallel.
	var all sync.WaitGroup
	for name, run := range cases {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				run(t, d, func(pod string) *exporter { return exporters[name+"-"+pod] })
			})
		})
	}
	all.Wait()
}

func testClassic(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, stable2, canary := e("stable").start("classic", "r1"), e("stable2").start("classic", "r1"), e("canary").start("classic", "r2")
	stable.serve(1000, 10, 0.2) // from before
	w := d.watch(t, "classic", `classic_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	stable.serve(20, 2, 0.05)
	stable2.serve(10, 1, 0.3)
	canary.serve(15, 5, 2)
	w.until(30, 3, 15, 5)
	same(t, w.stable.Latency.Bounds, []float64{0.1, 0.5, 1})
	same(t, w.stableL, []int64{20, 10, 0, 0})
	same(t, w.canryL, []int64{0, 0, 0, 15})
	if w.latest.Stable.Instances != 2 || w.latest.Canary.Instances != 1 || w.latest.Stable.WarmInstances != 2 {
		t.Errorf("instances: %+v", w.latest)
	}
}

func testNative(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("native", "r1"), e("canary").start("native", "r2")
	stable.serve(1000, 10, 0.2)
	w := d.watch(t, "native", `native_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	stable.serve(20, 2, 0.3)
	canary.serve(12, 0, 0.6)
	canary.serve(3, 0, 0)
	w.until(20, 2, 15, 0)
	bounds := w.stable.Latency.Bounds
	if len(bounds) != 35 || bounds[0] != math.Exp2(-11) || bounds[34] != 64 {
		t.Fatalf("bounds are %v", bounds)
	}
	if i := boundIndex(bounds, math.Exp2(-1.5)); w.stableL[i] != 20 { // (0.25, 0.354]
		t.Errorf("20 requests of 0.3 s are %v", w.stableL)
	}
	if i := boundIndex(bounds, math.Exp2(-0.5)); w.canryL[i] != 12 || w.canryL[0] != 3 {
		t.Errorf("12 requests of 0.6 s and 3 of 0 s are %v", w.canryL)
	}
}

func testReset(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("reset", "r1"), e("canary").start("reset", "r2")
	stable.serve(500, 50, 0.2)
	canary.serve(500, 50, 0.2)
	w := d.watch(t, "reset", `classic_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	stable.serve(10, 1, 0.2)
	w.until(10, 1, 0, 0)
	canary = e("canary").start("reset", "r2")
	canary.serve(7, 3, 0.2)
	w.until(10, 1, 7, 3)
	same(t, w.canryL, []int64{0, 7, 0, 0})
	w.ask.WarmUp = time.Hour // everything is cold now
	canary.serve(5, 0, 0.2)
	w.until(10, 1, 12, 3)
	same(t, w.canryL, []int64{0, 7, 0, 0})
}

func testKilled(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("killed", "r1"), e("canary").start("killed", "r2")
	w := d.watch(t, "killed", `native_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	canary.serve(5, 1, 0.1)
	w.until(0, 0, 5, 1)
	e("canary").server.Close()
	var goneSince time.Time
	eventually(t, w.state, func() bool {
		switch w.look(); {
		case !strings.HasPrefix(w.missing, "nothing of the canary arm has been scraped since "):
			goneSince = time.Time{}
		case goneSince.IsZero():
			goneSince = time.Now()
		}
		return !goneSince.IsZero() && time.Since(goneSince) > 3*time.Second
	})
	stable.serve(30, 0, 0.1)
	for range 10 {
		if w.look(); w.missing == "" {
			t.Errorf("a canary that is gone gave %+v", w.latest)
		}
	}
	if w.canary.Requests != 5 || w.canary.Errors != 1 {
		t.Errorf("a canary that is gone counts %+v", w.canary)
	}
}

func testLateCanary(t *testing.T, d *daemon, e func(string) *exporter) {
	stable := e("stable").start("late", "r1")
	stable.serve(100, 0, 0.1)
	w := d.watch(t, "late", `classic_seconds_bucket{service="$service",revision="$revision"}`)
	w.untilMissing(func(why string) bool {
		return why == "the requests query finds nothing of the canary arm (revision r2)"
	})
	stable.serve(50, 5, 0.1)
	for range 3 {
		if w.look(); w.missing == "" {
			t.Fatalf("without a canary there was %+v", w.latest)
		}
	}
	canary := e("canary").start("late", "r2")
	canary.serve(40, 4, 0.1) // born after the first look: from zero
	w.until(50, 5, 40, 4)
}

func testNotANumber(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("notnumber", "r1"), e("canary").start("notnumber", "r2")
	w := d.watch(t, "notnumber", "")
	w.source.queries["requests"] = mustSelector(t, `odd_total{service="$service",revision="$revision"}`)
	w.settle(1)
	stable.odd.Add(5)
	canary.odd.Set(math.NaN())
	w.untilMissing(func(why string) bool { return strings.Contains(why, "stands at NaN, which is not a number") })
	canary.odd.Set(4)
	w.until(5, 0, 4, 0)
	canary.errors.Add(6)
	w.untilMissing(func(why string) bool { return why == "the canary arm counts 6 errors in 0 requests" })
	canary.odd.Add(6)
	w.until(5, 0, 10, 6)
}

func mustSelector(t *testing.T, text string) selector {
	t.Helper()
	s, err := parseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testWithoutHistogram(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").start("worker", "r1"), e("canary").start("worker", "r2")
	w := d.watch(t, "worker", "")
	w.settle(1)
	stable.serve(6, 1, 0)
	canary.serve(5, 2, 0)
	w.until(6, 1, 5, 2)
	if len(w.latest.Stable.Latency.Bounds) != 0 || w.latest.Stable.Latency.Total() != 0 {
		t.Errorf("without a histogram there is latency %+v", w.latest.Stable.Latency)
	}
}

func testHistory(t *testing.T, d *daemon, e func(string) *exporter) {
	a, b := e("stable").start("history", "r1"), e("stable2").start("history", "r1")
	w := d.watch(t, "history", `native_seconds{service="$service",revision="$revision"}`)
	canary := e("canary").start("history", "r2")
	w.settle(1)
	a.serve(30, 3, 0.1)
	b.serve(20, 0, 0.1)
	canary.serve(40, 0, 0.1)
	w.until(50, 3, 40, 0)
	w.ask.Now = time.Now()
	past, err := w.source.History(context.Background(), w.ask, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := past.Validate(); err != nil {
		t.Fatal(err)
	}
	if past.Minutes() != 5 || len(past.Instances) != 2 {
		t.Fatalf("%d minutes of %d instances", past.Minutes(), len(past.Instances))
	}
	if len(past.Bounds) != 35 {
		t.Errorf("bounds are %v", past.Bounds)
	}
}

func testProbe(t *testing.T, d *daemon, e func(string) *exporter) {
	e("stable").start("probe", "r1")
	e("canary").start("probe", "r2")
	w := d.watch(t, "probe", `native_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	w.ask.Now = time.Now()
	if err := w.source.Probe(context.Background(), w.ask); err != nil {
		t.Errorf("all is well, and yet: %v", err)
	}
	w.source.queries["errors"] = mustSelector(t, `eror_total{revision="$revision"}`)
	if err := w.source.Probe(context.Background(), w.ask); err == nil || !strings.Contains(err.Error(), "nothing named eror_total, as the errors query says") {
		t.Errorf("a misspelt name: %v", err)
	}
}

func testFind(t *testing.T, d *daemon, e func(string) *exporter) {
	e("stable").start("find", "r1")
	e("stable2").start("find", "r1")
	e("canary").start("find-me-not", "r2")
	w := d.watch(t, "find", `classic_seconds{service="$service",revision="$revision"}`)
	w.source.queries["errors"] = mustSelector(t, `eror_total{revision="$revision"}`)
	want := []Found{
		{"requests", `requests_total{service="find",revision=~".+"}`, 2},
		{"errors", `eror_total{revision=~".+"}`, 0},
		{"histogram", `{service="find",revision=~".+",__name__=~"classic_seconds|classic_seconds_bucket"}`, 8},
	}
	var found []Found
	eventually(t, func() string { return fmt.Sprintf("found %+v, want %+v", found, want) }, func() bool {
		var err error
		w.ask.Now = time.Now()
		if found, err = w.source.Find(context.Background(), w.ask); err != nil {
			t.Fatal(err)
		}
		return slices.Equal(found, want)
	})
}

func TestRealPrometheusGoesAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for scrapes of a real Prometheus")
	}
	t.Parallel()
	stableAt, canaryAt := newExporter(t), newExporter(t)
	stable, canary := stableAt.start("shop", "r1"), canaryAt.start("shop", "r2")
	d := startDaemon(t, map[string]*exporter{"stable": stableAt, "canary": canaryAt})
	w := d.watch(t, "shop", `native_seconds{service="$service",revision="$revision"}`)
	w.settle(1)
	stable.serve(10, 0, 0.1)
	canary.serve(9, 0, 0.1)
	w.until(10, 0, 9, 0)
	d.stop()
	for range 3 {
		// Refused, or cut off on a connection that was still open.
		if w.look(); !strings.Contains(w.missing, "does not answer") {
			t.Fatalf("Prometheus is down, and the source says %q", w.missing)
		}
	}
	stable.serve(11, 1, 0.1)
	canary.serve(12, 2, 0.1)
	d.run(t)
	w.until(21, 1, 21, 2)
	if !slices.Contains(w.canryL, int64(21)) {
		t.Errorf("latency over the gap: %v", w.canryL)
	}
}
