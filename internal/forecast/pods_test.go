package forecast_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestAPlanByPodsSaysWhichWeightsArePossible(t *testing.T) {
	for name, c := range map[string]struct {
		kubernetes string
		warns      string
		weights    []float64
	}{
		"a few pods": {
			"split: pods, instances: 4",
			"canary in production: the traffic is split by pods, so beside 4 pods a canary can have only 20 %, 33.3 %, 42.9 %, 50 %; it is watched at half of the traffic at most, not at 9",
			[]float64{0.2, 1. / 3, 3. / 7, 0.5, 0.5},
		},
		"many pods": {
			"split: pods, instances: 40",
			"a canary can have only 2.44 %, 4.76 %, 6.98 %, 9.09 %, 11.1 %, …, 50 %;", nil,
		},
		"as many as there are": {
			"split: pods",
			"so beside the Deployment's n pods a canary's k have k/(n+k): beside 4, for instance, only 20 %, 33.3 %, 42.9 %, 50 %;", nil,
		},
		"by a route": {"instances: 4", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			def, faults := pipeline.Parse("fairway.yaml", []byte(`service: shop
expect: {rate: 100/s}
metrics: {prometheus: {url: "http://p:9090", requests: 'a{r="$revision"}', errors: 'b{r="$revision"}'}}
kubernetes: {`+c.kubernetes+`}
environments: [{name: production, platform: kubernetes}]
`))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			plan, err := pipeline.Compile(def, pipeline.Request{Artifact: "shop:v2", Digest: "sha256:" + strings.Repeat("a", 64)})
			if err != nil {
				t.Fatal(err)
			}
			o := forecast.Of(plan)
			said := slices.DeleteFunc(slices.Clone(o.Warnings), func(w string) bool { return !strings.Contains(w, "by pods") })
			if (c.warns == "") != (len(said) == 0) || c.warns != "" && (len(said) != 1 || !strings.Contains(said[0], c.warns)) {
				t.Errorf("it says %q", said)
			}
			var weights []float64
			for _, l := range o.Levels {
				weights = append(weights, l.Weight)
			}
			if c.weights != nil && !subset(weights, c.weights) {
				t.Errorf("the levels are %v, of which only %v are possible", weights, c.weights)
			}
			if len(weights) < 2 {
				t.Errorf("the levels are %v", weights)
			}
		})
	}
}

func subset(some, all []float64) bool {
	return !slices.ContainsFunc(some, func(x float64) bool { return !slices.Contains(all, x) })
}
