package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/judge"
)

func TestCustomMetricsArePackedWithTheirPoint(t *testing.T) {
	p := secondOfTraffic()
	p.Sample.Custom = []judge.CustomSample{
		{Name: "checkout-failures", Stable: judge.Counts{All: 300, Bad: 2}, Canary: judge.Counts{All: 20}},
		{Name: "order-value", Stable: judge.Counts{All: 50, Sum: 2000.5, Squares: 1e5}, Canary: judge.Counts{All: 3, Sum: 1, Squares: 0.5}},
		{Name: "gone", Missing: "there is nothing of the canary arm"},
	}
	packed := packPoint(p)
	got, err := unpackPoint(packed, p.Sample.Stable.Latency.Bounds, p.Sample.Canary.Latency.Bounds)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
	}
	for n := len(packPoint(secondOfTraffic())) + 1; n < len(packed); n++ {
		if _, err := unpackPoint(packed[:n], nil, nil); err == nil {
			t.Fatalf("the first %d of %d bytes were read as a whole point", n, len(packed))
		}
	}
}
