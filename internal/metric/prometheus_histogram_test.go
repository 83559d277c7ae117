package metric

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// native makes a native histogram of the schema with one observation at each
// bucket whose upper bound is 2^(i/2^schema).
func native(t int64, schema int, buckets ...int) promHistogram {
	h := promHistogram{t: t}
	for _, i := range buckets {
		right := math.Exp2(float64(i) / math.Exp2(float64(schema)))
		left := math.Exp2(float64(i-1) / math.Exp2(float64(schema)))
		h.buckets = append(h.buckets, promBucket{left, right, 1})
		h.count++
	}
	return h
}

func TestNativeHistogramsOfEverySchemaAreMergedDown(t *testing.T) {
	for schema := -2; schema <= 8; schema++ {
		perSecond := 1 << max(0, schema) // buckets in (0.5 s, 1 s]
		h := native(1, schema)
		if schema >= 0 {
			for i := -perSecond + 1; i <= 0; i++ {
				h.buckets = append(h.buckets, native(1, schema, i).buckets...)
				h.count++
			}
		} else {
			perSecond = 1
			h = native(1, schema, 0)
		}
		s, err := h.snapshot(grids{of: map[gridShape][]float64{}})
		if err != nil {
			t.Fatalf("schema %d: %v", schema, err)
		}
		half, one := boundIndex(s.bounds, 0.5), boundIndex(s.bounds, 1)
		if one < 0 || s.counts[one] != float64(perSecond) || s.counts[len(s.counts)-1] != float64(perSecond) {
			t.Errorf("schema %d: up to 1 s %v of %v", schema, s.counts, s.bounds)
		}
		if schema >= 0 && s.counts[half] != 0 {
			t.Errorf("schema %d: %v requests took less than 0.5 s, want none", schema, s.counts[half])
		}
		if got, want := len(s.bounds) > 1 && sameBound(s.bounds[1]/s.bounds[0], math.Exp2(math.Exp2(-float64(min(1, schema))))), true; got != want {
			t.Errorf("schema %d: bounds are %v", schema, s.bounds)
		}
	}
}

func TestBoundsStayWhileTheResolutionFallsAndShrinkOnlyWhenTheyMust(t *testing.T) {
	of := func(h promHistogram) map[string]histogramSeries {
		all, err := readHistograms([]promSeries{{Metric: map[string]string{}, Histograms: []promHistogram{h}}}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	fine := commonBounds(nil, of(native(1, 5, 3)))
	if got := commonBounds(fine, of(native(2, 2, 3)), of(native(2, 1, 3))); !slices.Equal(got, fine) {
		t.Errorf("schema 2 and 1 changed the bounds to %v", got)
	}
	coarse := commonBounds(fine, of(native(3, 0, 3)))
	if len(coarse) != 18 || coarse[0] != math.Exp2(-11) || coarse[17] != 64 {
		t.Errorf("schema 0 left %v", coarse)
	}
	if got := commonBounds(coarse, of(native(4, 5, 3))); !slices.Equal(got, coarse) {
		t.Errorf("a fine one brought bounds back: %v", got)
	}
}

func TestAWideZeroBucketHidesTheBoundsInside(t *testing.T) {
	h := native(1, 3, 0)
	h.buckets = append([]promBucket{{-0.01, 0.01, 5}}, h.buckets...)
	h.count += 5
	s, err := h.snapshot(grids{of: map[gridShape][]float64{}})
	if err != nil || s.bounds[0] < 0.01 || s.counts[0] != 5 {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestHistogramsThatAreRefused(t *testing.T) {
	custom := promHistogram{count: 2, buckets: []promBucket{{0.1, 0.25, 2}}}
	for _, tc := range []struct {
		name   string
		answer []promSeries
		want   string
	}{
		{"custom buckets", []promSeries{{Metric: map[string]string{"__name__": "n", "pod": "a"}, Histograms: []promHistogram{custom}}}, `n{pod="a"} is a native histogram with custom buckets`},
		{"no number", []promSeries{{Histograms: []promHistogram{{count: math.NaN()}}}}, "holds a count that is not a number"},
		{"disorder", []promSeries{{Histograms: []promHistogram{native(1, 3, 5, 4)}}}, "holds buckets that are not in order"},
		{"no histogram", []promSeries{line("n", "r", "a", 0, 1)}, "is not a histogram"},
		{"a bound that is text", []promSeries{line("n", "r", "a", 0, 1).with("le", "fast")}, "has a bound that is not a number"},
		{"no +Inf", []promSeries{line("n", "r", "a", 0, 1).with("le", "1")}, "has no bucket +Inf"},
		{"a bucket that is no number", []promSeries{line("n", "r", "a", 0, math.NaN()).with("le", "+Inf")}, "is not a number"},
	} {
		if _, err := readHistograms(tc.answer, "", ""); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestClassicHistograms(t *testing.T) {
	bucket := func(le string, values ...float64) promSeries {
		return line("n_bucket", "r", "a", 0, values...).with("le", le)
	}
	got, err := readHistograms([]promSeries{bucket("+Inf", 5, 6, 9), bucket("0.5", 3, 7, failed), bucket("0.1", 2, 2, 4)}, "", "")
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, s := range got {
		// The middle scrape read its buckets a request apart; the last one lacks a bucket.
		want := "[{[0.1 0.5] [2 3 5]} {[0.1 0.5] [2 7 7]} {[0.1] [4 9]}]"
		var parts []string
		for _, snap := range s.snapshots {
			parts = append(parts, fmt.Sprintf("{%v %v}", snap.bounds, snap.counts))
		}
		if text := "[" + strings.Join(parts, " ") + "]"; text != want {
			t.Errorf("got %s, want %s", text, want)
		}
		if s.instance != "a" {
			t.Errorf("the instance is %q", s.instance)
		}
	}
	if b := commonBounds(nil, got); !slices.Equal(b, []float64{0.1}) {
		t.Errorf("bounds are %v", b)
	}
}

func TestHandOutKeepsTheRest(t *testing.T) {
	var total int64
	kept := 0.0
	for range 1000 {
		var n int64
		if n, kept = handOut(kept + 0.1); n < 0 {
			t.Fatal("handed out less than nothing")
		}
		total += n
	}
	if total != 100 {
		t.Errorf("1000 tenths are %d", total)
	}
	if n, kept := handOut(-3); n != 0 || kept != -3 {
		t.Errorf("a debt of 3 hands out %d and keeps %g", n, kept)
	}
}

func TestMergeBuckets(t *testing.T) {
	if got := mergeBuckets([]float64{1, 2, 4, 8}, []float64{1, 2, 3}, []float64{2}); !slices.Equal(got, []float64{3, 12}) {
		t.Errorf("got %v", got)
	}
	if got := mergeBuckets(nil, nil, []float64{2}); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("nothing becomes %v", got)
	}
}
