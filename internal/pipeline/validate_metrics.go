package pipeline

import (
	"fmt"
	"strings"
)

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
	}
}

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
