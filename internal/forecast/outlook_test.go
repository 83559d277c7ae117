package forecast_test

import (
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
