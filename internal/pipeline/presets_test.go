package pipeline

import (
	"slices"
	"strings"
	"testing"
)

// The words of the definition are what is there.
func TestEveryPresetCanBeNamed(t *testing.T) {
	for _, name := range presetNames() {
		p := PrometheusDefinition{Preset: name}.resolved()
		if p.Requests == "" || p.Errors == "" {
			t.Errorf("the preset %s has no queries", name)
		}
		_, faults := Parse("fairway.yaml", []byte("service: shop\nmetrics: {prometheus: {url: 'http://p:9090', preset: "+name+
			", requests: 'a{r=\"$revision\"}', errors: 'b{r=\"$revision\"}', histogram: 'c{r=\"$revision\"}'}}\n"+
			"host: {run: ./shop, listen: '127.0.0.1:8080'}\nenvironments: [{name: production}]\n"))
		if len(faults) > 0 {
			t.Errorf("the preset %s cannot be named: %v", name, faults)
		}
	}
	_, faults := Parse("fairway.yaml", []byte("service: shop\nmetrics: {prometheus: {url: 'http://p:9090', preset: xyzzy}}\n"))
	for _, name := range presetNames() {
		if !strings.Contains(faults.Error(), name) {
			t.Errorf("who names no preset is not told of %s: %v", name, faults)
		}
	}
}

// Errors that were not contained in the requests would accuse an arm of more than it did.
func TestErrorsOfAPresetAreSomeOfItsRequests(t *testing.T) {
	for _, name := range presetNames() {
		p := presets[name]
		if !strings.HasPrefix(p.errors, strings.TrimSuffix(p.requests, "}")+",") {
			t.Errorf("%s: %s are not those of %s with one more condition", name, p.errors, p.requests)
		}
		if p.unit != "" && p.histogram == "" {
			t.Errorf("%s: a unit of no histogram", name)
		}
	}
}

func TestThePlanCarriesTheQueriesOfThePreset(t *testing.T) {
	m := compileMetrics(MetricsDefinition{Prometheus: &PrometheusDefinition{URL: "http://p:9090", Preset: "istio"}}, nil)
	p, from := *m.Prometheus, presets["istio"]
	want := Prometheus{
		URL: "http://p:9090", Preset: "istio", Requests: from.requests, Errors: from.errors,
		Histogram: from.histogram, Unit: "milliseconds", Instance: "none", Interval: p.Interval,
	}
	if m.Source != "prometheus" || p != want || p.Interval == 0 {
		t.Errorf("the plan has %+v, want %+v", p, want)
	}
}

func TestQueriesOfOnesOwnTakeThePlaceOfThePresets(t *testing.T) {
	from := presets["istio"]
	for _, c := range []struct {
		own, want PrometheusDefinition
	}{
		{
			PrometheusDefinition{Preset: "istio", Errors: "e"},
			PrometheusDefinition{Preset: "istio", Requests: from.requests, Errors: "e", Histogram: from.histogram, Unit: "milliseconds", Instance: "none"},
		}, {
			// The unit belongs to the histogram, not to the preset.
			PrometheusDefinition{Preset: "istio", Histogram: "h"},
			PrometheusDefinition{Preset: "istio", Requests: from.requests, Errors: from.errors, Histogram: "h", Instance: "none"},
		}, {
			PrometheusDefinition{Preset: "app", Histogram: "h", Unit: "milliseconds"},
			PrometheusDefinition{Preset: "app", Requests: presets["app"].requests, Errors: presets["app"].errors, Histogram: "h", Unit: "milliseconds"},
		}, {
			PrometheusDefinition{Preset: "linkerd", Requests: "r", Errors: "e", Histogram: "h", Instance: "pod"},
			PrometheusDefinition{Preset: "linkerd", Requests: "r", Errors: "e", Histogram: "h", Instance: "pod"},
		}, {
			PrometheusDefinition{Requests: "r", Errors: "e"},
			PrometheusDefinition{Requests: "r", Errors: "e"},
		},
	} {
		if got := c.own.resolved(); got != c.want {
			t.Errorf("%+v became %+v, want %+v", c.own, got, c.want)
		}
	}
}

// A plan of before has no unit, and must stay the same plan.
func TestSecondsAreNotSaidInThePlan(t *testing.T) {
	own := PrometheusDefinition{URL: "http://p:9090", Requests: "r", Errors: "e", Histogram: "h"}
	said := own
	said.Unit = "seconds"
	a := compileMetrics(MetricsDefinition{Prometheus: &own}, nil)
	b := compileMetrics(MetricsDefinition{Prometheus: &said}, nil)
	if *a.Prometheus != *b.Prometheus || !slices.Equal([]string{a.Prometheus.Unit, a.Prometheus.Preset}, []string{"", ""}) {
		t.Errorf("%+v and %+v", *a.Prometheus, *b.Prometheus)
	}
}
