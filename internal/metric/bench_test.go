package metric

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkLook is a look at 20 instances per arm with 12 buckets each, the
// store included, which here is in memory.
func BenchmarkLook(b *testing.B) {
	store := &fakeStore{series: []promSeries{longAgo}}
	for _, revision := range []string{"r1", "r2"} {
		for pod := range 20 {
			name := fmt.Sprint(revision, pod)
			store.series = append(store.series, line("requests_total", revision, name, 0, 1e6, 1e6+100, 1e6+200), line("errors_total", revision, name, 0, 100, 101, 102))
			for bucket := range 12 {
				store.series = append(store.series, line("seconds_bucket", revision, name, 0, 1e6, 1e6+100, 1e6+200).with("le", fmt.Sprint(bucket+1)))
			}
			store.series = append(store.series, line("seconds_bucket", revision, name, 0, 1e6, 1e6+100, 1e6+200).with("le", "+Inf"))
		}
	}
	p := openFake(b, store)
	_, cursor, err := p.Sample(context.Background(), askAt(start.Add(33*time.Second)), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, next, err := p.Sample(context.Background(), askAt(start.Add(48*time.Second)), cursor)
		if err != nil || s.Missing != "" {
			b.Fatal(s.Missing, err)
		}
		b.ReportMetric(float64(len(next)), "cursor-bytes")
	}
}
