package forecast_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func outlook(t *testing.T, expect string) forecast.Outlook {
	t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", []byte("service: shop\n"+expect+`
host: {run: ./shop, listen: "127.0.0.1:8080", instances: 2}
environments: [{name: production}]
`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	plan, err := pipeline.Compile(def, pipeline.Request{Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64)})
	if err != nil {
		t.Fatal(err)
	}
	return forecast.Of(plan)
}

func TestMoreTrafficSeesSmallerRegressions(t *testing.T) {
	quiet, busy := outlook(t, "expect: {rate: 20/s}"), outlook(t, "expect: {rate: 2000/s}")
	last := func(o forecast.Outlook) float64 { return o.Levels[len(o.Levels)-2].Sight.Errors }
	if len(quiet.Levels) < 3 || last(busy) <= 0 || last(busy) >= last(quiet) {
		t.Errorf("at the middle level 2000/s sees %v, 20/s sees %v", last(busy), last(quiet))
	}
}

func TestTheLevelsGrowToTheMiddle(t *testing.T) {
	o := outlook(t, "expect: {rate: 200/s}")
	before := 0.0
	for _, l := range o.Levels {
		if l.Stage == "canary" && l.Weight < before {
			t.Errorf("the level %v follows %v", l.Weight, before)
		}
		before = l.Weight
	}
	if w := o.Levels[0].Weight; w <= 0 || w > 0.01 {
		t.Errorf("the first level at 200/s is %v", w)
	}
}

func TestUnknownOrLittleTrafficIsAWarning(t *testing.T) {
	for _, expect := range []string{"", "expect: {rate: 0.01/s}"} {
		if o := outlook(t, expect); len(o.Warnings) == 0 {
			t.Errorf("%q gives no warning", expect)
		}
	}
}

func TestEachServiceIsForeseenWithItsOwnTrafficOnceForAllRegions(t *testing.T) {
	parse := func(text string) *pipeline.Definition {
		def, faults := pipeline.Parse("fairway.yaml", []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		return def
	}
	regions := "environments: [{name: production, regions: [eu, us, ap]}]\n"
	digest := "sha256:" + strings.Repeat("0", 64)
	ask := pipeline.Request{Artifact: "a", Digest: digest}
	for _, other := range []string{
		"service: payments\nexpect: {rate: 30/s}\nhost: {run: ./it, listen: \"127.0.0.1:8081\"}\n" + regions,
		"service: ledger\nhost: {run: ./it, listen: \"127.0.0.1:8082\"}\n" + regions,
	} {
		ask.With = append(ask.With, pipeline.ComponentRequest{Definition: parse(other), Artifact: "a", Digest: digest})
	}
	lead := parse("service: shop\nwith: [payments, ledger]\nexpect: {rate: 300/s}\nhost: {run: ./it, listen: \"127.0.0.1:8080\"}\n" + regions)
	plan, err := pipeline.Compile(lead, ask)
	if err != nil {
		t.Fatal(err)
	}
	o := forecast.Of(plan)
	rates := map[string]float64{}
	for _, l := range o.Levels {
		rates[l.Environment] = l.Rate
	}
	if want := map[string]float64{"production/eu:payments": 10, "production/eu:shop": 100}; !maps.Equal(rates, want) {
		t.Errorf("it is foreseen in %v", rates)
	}
	if warned := strings.Join(o.Warnings, "\n"); strings.Count(warned, "the expected traffic of ledger is not known") != 1 || strings.Contains(warned, "traffic of shop") {
		t.Errorf("it warns of %q", warned)
	}
}
