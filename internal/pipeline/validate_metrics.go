package pipeline

import (
	"fmt"
	"strings"
)

// metrics checks that a source is named, and that nothing of it is missing.
func (v *validator) metrics(path string, m *MetricsDefinition) {
	if m == nil {
		return
	}
	if m.Source == "" && m.Prometheus == nil {
		if at, ok := v.values[path]; ok {
			v.fault(at, "write `metrics: router`, or a mapping with `prometheus`", `"metrics" names no source`)
		}
	}
	if m.Prometheus != nil {
		v.prometheus(path+".prometheus", m.Prometheus)
	}
}

func (v *validator) prometheus(path string, p *PrometheusDefinition) {
	if !v.known(path + ".preset") {
		for _, q := range []string{"requests", "errors"} {
			if !v.known(path + "." + q) {
				v.fault(v.key(path), "select a counter, or name a `preset`: "+list(presetNames(), "or"), "%q is missing in \"prometheus\"", q)
			}
		}
	}
	if v.known(path+".unit") && !v.known(path+".histogram") {
		hint := "add `histogram`, or leave the unit out"
		if p.Preset != "" {
			hint = "leave it out: the preset knows the unit of its histogram"
		}
		v.fault(v.key(path+".unit"), hint, "\"unit\" is what `histogram` is in, which is not set")
	}
}

// backends refuses queries that ask by what the environment's platform has no names for.
func (v *validator) backends(path string, e *EnvironmentDefinition) {
	at, m := path+".metrics", e.Metrics
	if m == nil {
		at, m = "metrics", &v.def.Metrics
	}
	if m.Prometheus == nil || !onHost(e) {
		return
	}
	switch p := m.Prometheus.resolved(); {
	case !asksBy(backendWords, p.Requests, p.Errors, p.Histogram):
	case p.Preset != "":
		v.fault(v.key(at+".prometheus.preset"), "write queries that ask by $revision or $arm, or `metrics: router`",
			"the preset %q asks by the name of a Service, and the environment %q is on the platform host, which has none", p.Preset, e.Name)
	default:
		v.fault(v.key(at+".prometheus"), "use $revision or $arm",
			"a query asks by $backend or $namespace, and the environment %q is on the platform host, which has neither", e.Name)
	}
}

// analysis checks the custom metrics of a canary or watch.
func (v *validator) analysis(path string, e *EnvironmentDefinition, a *AnalysisDefinition) {
	path += ".metrics"
	if len(a.Metrics) == 0 {
		return
	}
	source := v.def.Metrics
	if e.Metrics != nil {
		source = *e.Metrics
	}
	if source.Prometheus == nil {
		v.fault(v.key(path), "for instance: metrics: {prometheus: {url: \"http://prometheus:9090\", requests: …, errors: …}}, in the environment or for all",
			"the environment %q has its samples from the router, which counts requests and no custom metrics; these need `metrics` with `prometheus`", e.Name)
	}
	names := map[string]int{}
	for i, m := range a.Metrics {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v.unread[at] {
			continue
		}
		if first, twice := names[m.Name]; twice && m.Name != "" {
			v.fault(v.at(at+".name"), "give each metric of a stage its own name", "the metric %q is there twice, first on line %d",
				m.Name, v.at(fmt.Sprintf("%s[%d].name", path, first)).line)
		} else {
			names[m.Name] = i
		}
		if m.Name == "errors" || m.Name == "latency" {
			v.fault(v.at(at+".name"), "choose another name", "%q is judged in any case", m.Name)
		}
		v.customMetric(at, m)
		if onHost(e) && asksBy(backendWords, m.Bad, m.Good, m.Of, m.Sum, m.Count, m.Squares) {
			v.fault(v.at(at), "use $revision or $arm", "the metric %q asks by $backend or $namespace, and the platform host has neither", m.Name)
		}
	}
}

// onHost tells whether the environment is on the platform that has no names for what traffic
// goes to.
func onHost(e *EnvironmentDefinition) bool { return e.Platform == "" || e.Platform == "host" }

const (
	ratioExample = "for instance: {name: checkout-failures, bad: …, of: …}"
	meanExample  = "for instance: {name: order-value, sum: …, count: …, squares: …, better: higher}"
)

// customMetric checks that one metric is a whole ratio or a whole mean.
func (v *validator) customMetric(path string, m CustomMetricDefinition) {
	set := func(keys ...string) (found []string) {
		for _, key := range keys {
			if v.known(path + "." + key) {
				found = append(found, key)
			}
		}
		return found
	}
	ratio, mean := set("bad", "good", "of"), set("sum", "count", "squares")
	switch {
	case len(ratio) == 0 && len(mean) == 0:
		v.fault(v.at(path), ratioExample+", or a mean: {sum: …, count: …, squares: …}", "the metric %q says nothing to count", m.Name)
	case len(ratio) > 0 && len(mean) > 0:
		v.fault(v.key(path+"."+mean[0]), "make two metrics of it, or leave one part out", "the metric %q is a ratio and a mean at once: it has %s, and %s",
			m.Name, quoted(ratio), quoted(mean))
	case len(ratio) > 0:
		v.ratio(path, m, set)
	default:
		v.mean(path, m, set)
	}
}

func (v *validator) ratio(path string, m CustomMetricDefinition, set func(...string) []string) {
	if len(set("bad", "good")) == 2 {
		v.fault(v.key(path+".good"), "keep one of them", "the metric %q has `bad` and `good`, but one tells the other", m.Name)
	}
	if len(set("bad", "good")) == 0 {
		v.fault(v.at(path), ratioExample, "the metric %q does not say which events are bad, or good", m.Name)
	}
	if len(set("of")) == 0 {
		v.fault(v.at(path), ratioExample, "the metric %q does not say of how many events", m.Name)
	}
	if len(set("better")) > 0 {
		v.fault(v.key(path+".better"), "leave it out: `bad` or `good` says so", "a ratio such as %q has no `better`", m.Name)
	}
	v.difference(path, m, "pp", "a ratio", 50)
}

func (v *validator) mean(path string, m CustomMetricDefinition, set func(...string) []string) {
	for _, key := range []string{"sum", "count", "squares"} {
		if len(set(key)) == 0 {
			v.fault(v.at(path), meanExample, "the metric %q is a mean without %q", m.Name, key)
		}
	}
	if len(set("better")) == 0 {
		v.fault(v.at(path), "for instance: better: higher", "the metric %q does not say whether higher or lower is better", m.Name)
	}
	v.difference(path, m, "%", "a mean", 90)
}

// difference checks the margin's unit and its bounds, in percent or percentage points.
func (v *validator) difference(path string, m CustomMetricDefinition, unit, what string, most float64) {
	if m.Margin == "" || checkDifference(m.Margin) != nil {
		return
	}
	at, example := v.at(path+".margin"), "for instance: margin: 0.5pp"
	if unit == "%" {
		example = "for instance: margin: 5%"
	}
	switch points := 100 * m.margin(); {
	case !strings.HasSuffix(m.Margin, unit):
		v.fault(at, example, "the margin of %s is in %s, not %q", what, map[string]string{"pp": "percentage points", "%": "percent"}[unit], m.Margin)
	case points < 0.001:
		v.fault(at, "it must be at least 0.001"+unit, `"margin" is %s, which is too little`, m.Margin)
	case points > most:
		v.fault(at, fmt.Sprintf("it must be at most %v%s", most, unit), `"margin" is %s, which is too much`, m.Margin)
	}
}

func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, fmt.Sprintf("%q", w))
	}
	return list(all, "and")
}

// differencePattern is how a margin of a custom metric is written.
const differencePattern = `^[0-9]+(\.[0-9]+)?(pp|%)$`

func checkDifference(s string) *problem {
	for _, form := range []struct {
		unit string
		form Form
	}{{"pp", pointsForm}, {"%", shareForm}} {
		if _, err := parseQuantity(s, form.unit, "e-2", form.form); err == nil {
			return nil
		}
	}
	return wrong("0.5pp of a ratio, 5% of a mean", "%q is not a difference", s)
}
