package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestAPlanTriesAQueryForEachServiceThatItNames(t *testing.T) {
	entry := func(name, service string, requests string) pipeline.Environment {
		return pipeline.Environment{
			Name: name, Service: service, Leg: &pipeline.Leg{Environment: "production", Wave: 1},
			Metrics: pipeline.Metrics{Source: "prometheus", Prometheus: &pipeline.Prometheus{URL: "http://127.0.0.1:1", Requests: requests, Errors: requests}},
		}
	}
	found := map[string]int{"payments": 2, "shop": 0}
	find := func(_ context.Context, q FindQuery) ([]FoundSeries, error) {
		return []FoundSeries{{Metric: "requests", Query: q.Metrics.Prometheus.Requests, Series: found[q.Service]}}, nil
	}
	for requests, want := range map[string]string{
		`all{service="$service",revision="$revision"}`: "production:payments 2; production:shop 0",
		`all{revision="$revision"}`:                    "production:payments,production:shop 2",
	} {
		plan := &pipeline.Plan{Service: "shop", With: []pipeline.Component{{Service: "payments"}}, Environments: []pipeline.Environment{
			entry("production:payments", "payments", requests), entry("production:shop", "shop", requests),
		}}
		all, err := countedOf(t.Context(), plan, find)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range all {
			got = append(got, strings.Join(c.Environments, ",")+" "+string(rune('0'+c.Found[0].Series)))
		}
		if told := strings.Join(got, "; "); told != want {
			t.Errorf("%s finds %q, want %q", requests, told, want)
		}
	}
}
