package pipeline

import (
	"fmt"
	"testing"
)

func TestAWatchHoldsBackEnoughToCompareWith(t *testing.T) {
	for _, c := range []struct {
		what, expect, watch string
		want                float64
	}{
		{"unknown traffic", "", "watch", 0.05},
		{"much traffic", "expect: {rate: 200/s}", "watch", 0.05},
		{"some traffic", "expect: {rate: 50/s}", "watch", 0.17},
		{"more errors", "expect: {rate: 50/s, errors: 1%}", "watch", 0.05},
		{"little traffic", "expect: {rate: 5/s}", "watch", 0.5},
		{"little traffic, watched for long", "expect: {rate: 5/s}", "watch: 4h", 0.07},
		{"what the team says", "expect: {rate: 5/s}", "watch: {holdback: 10%}", 0.1},
		{"nothing, as the team says", "expect: {rate: 5/s}", "watch: {holdback: 0%}", 0},
	} {
		text := fmt.Sprintf(`service: shop
%s
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [canary, %s]
`, c.expect, c.watch)
		def, faults := Parse("fairway.yaml", []byte(text))
		if len(faults) > 0 {
			t.Fatalf("%s: %v", c.what, faults)
		}
		stages := compileStages(def.Environments[0].Stages, def.Expect)
		if got := stages[1].Watch.Holdback; got != c.want {
			t.Errorf("%s: the watch keeps %v, want %v", c.what, got, c.want)
		}
		if got := stages[0].Canary.Holdback; got != c.want {
			t.Errorf("%s: the canary before keeps %v, want %v", c.what, got, c.want)
		}
	}
}
