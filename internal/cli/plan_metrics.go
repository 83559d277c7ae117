package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Find tells how much the queries of an environment find now, of all revisions together.
// Package app gives it, because only app knows the stores.
type Find func(ctx context.Context, q FindQuery) ([]FoundSeries, error)

// FindQuery names the target and where its samples come from.
type FindQuery struct {
	Service, Environment, Region string
	Metrics                      pipeline.Metrics
}

// FoundSeries is how much one query finds.
type FoundSeries struct {
	// Metric is "requests", "errors" or "histogram".
	Metric string `json:"metric"`
	// Query is what was asked: that of the plan, with anything in the place of what tells
	// the versions apart.
	Query  string `json:"query"`
	Series int    `json:"series"`
}

// findLimit is how long a plan waits for one metric store, which may well be out of reach
// of the machine that the plan is made on.
const findLimit = 3 * time.Second

// counted is what a plan shows of the metrics of one environment or several.
type counted struct {
	Environments []string             `json:"environments"`
	Prometheus   *pipeline.Prometheus `json:"prometheus"`
	// Found is empty where the store was not reached, and Unreached then says why, or where
	// it was not asked.
	Found     []FoundSeries `json:"found,omitempty"`
	Unreached string        `json:"unreached,omitempty"`
}

// countedOf lists the Prometheus of each judged environment, those that have the same one
// together, and tries their queries; without find it tries none.
func countedOf(ctx context.Context, p *pipeline.Plan, find Find) ([]counted, error) {
	var all []counted
	tried := "" // the service that the last ones were tried for
	for i, e := range p.Environments {
		from := e.Metrics.Prometheus
		if from == nil || triedBefore(p, i) {
			continue
		}
		own := ownByTarget(*from) || ownByService(*from) && p.ServiceOf(&e) != tried
		if n := len(all); n > 0 && reflect.DeepEqual(all[n-1].Prometheus, from) && !own {
			all[n-1].Environments = append(all[n-1].Environments, e.Name)
			continue
		}
		tried = p.ServiceOf(&e)
		c := counted{Environments: []string{e.Name}, Prometheus: from}
		if find == nil {
			all = append(all, c)
			continue
		}
		within, cancel := context.WithTimeout(ctx, findLimit)
		found, err := find(within, FindQuery{Service: p.ServiceOf(&e), Environment: e.In(), Region: e.Region, Metrics: e.Metrics})
		cancel()
		switch {
		case fault.CodeOf(err) == fault.Invalid:
			return nil, fmt.Errorf("the metrics of %s: %w", e.Name, err)
		case err != nil:
			c.Unreached = fault.MessageOf(err)
		}
		c.Found = found
		all = append(all, c)
	}
	return all, nil
}

// triedBefore tells whether an earlier region of the entry's environment has the same metrics.
func triedBefore(p *pipeline.Plan, i int) bool {
	e := &p.Environments[i]
	return e.Leg != nil && slices.ContainsFunc(p.Environments[:i], func(o pipeline.Environment) bool {
		return o.In() == e.In() && o.Service == e.Service && reflect.DeepEqual(o.Metrics, e.Metrics)
	})
}

// ownByTarget tells whether the queries differ between environments.
func ownByTarget(p pipeline.Prometheus) bool {
	all := p.Requests + p.Errors + p.Histogram
	return strings.Contains(all, "$environment") || strings.Contains(all, "$region")
}

// ownByService tells whether the queries differ between services.
func ownByService(p pipeline.Prometheus) bool {
	return strings.Contains(p.Requests+p.Errors+p.Histogram, "$service")
}

func (c counted) print(w io.Writer) {
	by := ""
	if c.Prometheus.Preset != "" {
		by = fmt.Sprintf(", by the preset %s", c.Prometheus.Preset)
	}
	fmt.Fprintf(w, "What is counted in %s, at %s%s\n", strings.Join(c.Environments, ", "), shown(c.Prometheus.URL), by)
	series := map[string]string{}
	for _, f := range c.Found {
		series[f.Metric] = strconv.Itoa(f.Series)
	}
	var rows [][]string
	for _, q := range []struct{ metric, query string }{
		{"requests", c.Prometheus.Requests}, {"errors", c.Prometheus.Errors}, {"histogram", c.Prometheus.Histogram},
	} {
		if q.query == "" {
			continue
		}
		n, tried := series[q.metric]
		if !tried {
			n = "not tried"
		}
		rows = append(rows, []string{"  " + q.metric, n, q.query})
	}
	printTable(w, []string{"  COUNTER", "SERIES NOW", "QUERY"}, rows)
	for _, warning := range c.warnings() {
		fmt.Fprintf(w, "  %s\n", warning)
	}
	fmt.Fprintln(w)
}

// warnings say what of it will not do. That there is no error yet is no fault.
func (c counted) warnings() []string {
	var all []string
	if c.Unreached != "" {
		all = append(all, "The queries were not tried from here: "+c.Unreached)
	}
	if c.Prometheus.Histogram == "" {
		all = append(all, "There is no histogram, so nothing is judged by latency.")
	}
	for _, f := range c.Found {
		if f.Series == 0 && f.Metric != "errors" {
			all = append(all, fmt.Sprintf("warning: %s finds nothing now; see docs/metrics.md for what must be switched on", f.Query))
		}
	}
	return all
}

// shown is the address without a password.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its Prometheus"
	}
	return u.Redacted()
}
