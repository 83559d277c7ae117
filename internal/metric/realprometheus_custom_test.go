package metric

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairwayhq/fairway/internal/judge"
)

// till is an instrumented process that sells: beside requests it counts checkouts that
// failed, and the value of orders as a summary with a counter of squares beside it.
type till struct {
	requests, errors  prometheus.Counter
	checkouts, failed prometheus.Counter
	value             prometheus.Summary
	squares           prometheus.Counter
}

func (e *exporter) startTill(service, revision string) *till {
	labels := prometheus.Labels{"service": service, "revision": revision}
	counter := func(name string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, ConstLabels: labels})
	}
	s := &till{
		requests: counter("requests_total"), errors: counter("errors_total"),
		checkouts: counter("checkouts_total"), failed: counter("checkout_failures_total"),
		value:   prometheus.NewSummary(prometheus.SummaryOpts{Name: "order_value", ConstLabels: labels}),
		squares: counter("order_value_squares"),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(s.requests, s.errors, s.checkouts, s.failed, s.value, s.squares)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return s
}

// sell counts a request and a checkout for each order, and then failed checkouts.
func (s *till) sell(failed int, orders ...float64) {
	for _, x := range orders {
		s.value.Observe(x)
		s.squares.Add(x * x)
	}
	n := float64(len(orders) + failed)
	s.requests.Add(n)
	s.checkouts.Add(n)
	s.failed.Add(float64(failed))
}

func testCustomMetrics(t *testing.T, d *daemon, e func(string) *exporter) {
	stable, canary := e("stable").startTill("custom", "r1"), e("canary").startTill("custom", "r2")
	stable.sell(7, 100, 200) // from before
	canary.sell(7, 100, 200, 300)
	w := d.watch(t, "custom", "")
	w.ask.Custom = []CustomMetric{
		{
			Name: "checkout-failures",
			Bad:  `checkout_failures_total{service="$service",revision="$revision"}`, Of: `checkouts_total{service="$service",revision="$revision"}`,
		},
		{
			Name: "order-value",
			Sum:  `order_value_sum{service="$service",revision="$revision"}`, Count: `order_value_count{service="$service",revision="$revision"}`,
			Squares: `order_value_squares{service="$service",revision="$revision"}`,
		},
	}
	w.settle(1)
	type sums struct{ StableFailed, CanaryFailed, StableValue, CanaryValue judge.Counts }
	var got sums
	until := func(want sums) {
		t.Helper()
		last := ""
		eventually(t, func() string { return fmt.Sprintf("%+v, want %+v; %q; %s", got, want, last, w.state()) }, func() bool {
			for _, c := range w.look().Custom {
				switch {
				case c.Missing != "":
					last = c.Missing
				case c.Name == "order-value":
					got.StableValue, got.CanaryValue = plus(got.StableValue, c.Stable), plus(got.CanaryValue, c.Canary)
				default:
					got.StableFailed, got.CanaryFailed = plus(got.StableFailed, c.Stable), plus(got.CanaryFailed, c.Canary)
				}
			}
			return got == want
		})
	}
	stable.sell(1, 10, 20, 30)
	canary.sell(2, 5)
	until(sums{
		judge.Counts{All: 4, Bad: 1}, judge.Counts{All: 3, Bad: 2},
		judge.Counts{All: 3, Sum: 60, Squares: 1400}, judge.Counts{All: 1, Sum: 5, Squares: 25},
	})
	canary = e("canary").startTill("custom", "r2") // it starts anew, from zero
	canary.sell(1, 2, 4)
	until(sums{
		judge.Counts{All: 4, Bad: 1}, judge.Counts{All: 6, Bad: 3},
		judge.Counts{All: 3, Sum: 60, Squares: 1400}, judge.Counts{All: 3, Sum: 11, Squares: 45},
	})
}
