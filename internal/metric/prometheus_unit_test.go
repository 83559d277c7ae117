package metric

import (
	"math"
	"slices"
	"testing"
)

// one is the only histogram of an answer.
func one(t *testing.T, answer []promSeries, u unit) snapshot {
	t.Helper()
	all, err := readHistograms(answer, "", u)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if len(all) == 1 && len(s.snapshots) == 1 {
			return s.snapshots[0]
		}
	}
	t.Fatalf("%d histograms were read", len(all))
	return snapshot{}
}

func TestAClassicHistogramOfMillisecondsIsReadInSeconds(t *testing.T) {
	var answer []promSeries
	for le, n := range map[string]float64{"0.5": 1, "250": 2, "300": 4, "+Inf": 8} {
		answer = append(answer, promSeries{Metric: map[string]string{"le": le}, Values: []promValue{{1, n}}})
	}
	s := one(t, answer, milliseconds)
	same(t, s.bounds, []float64{0.0005, 0.25, 0.3})
	same(t, s.counts, []float64{1, 2, 4, 8})
	same(t, one(t, answer, "seconds").bounds, []float64{0.5, 250, 300})
}

func TestANativeHistogramOfMillisecondsIsReadInSeconds(t *testing.T) {
	for schema := -1; schema <= 8; schema++ {
		steps := func(doublings int) int { return int(float64(doublings) * math.Exp2(float64(schema))) }
		h := native(1, schema, steps(4), steps(8)) // up to 16 ms, up to 256 ms
		s := one(t, []promSeries{{Metric: map[string]string{}, Histograms: []promHistogram{h}}}, milliseconds)
		first, last := s.bounds[0], s.bounds[len(s.bounds)-1]
		if first != 0.0005 && schema >= 0 || last < 60 || last > 70 {
			t.Errorf("schema %d: the bounds are from %v to %v s", schema, first, last)
		}
		for bound, want := range map[float64]float64{0.004: 0, 0.016: 1, 0.064: 1, 0.256: 2} {
			if i := boundIndex(s.bounds, bound); i < 0 || s.counts[i] != want {
				t.Errorf("schema %d: up to %v s there are %v of %v, want %v", schema, bound, s.counts, s.bounds, want)
			}
		}
	}
}

func TestTheZeroBucketOfMillisecondsHidesWhatIsBelow(t *testing.T) {
	h := native(1, 1, 10) // up to 32 ms
	h.buckets = slices.Insert(h.buckets, 0, promBucket{-2, 2, 5})
	h.count += 5
	s := one(t, []promSeries{{Metric: map[string]string{}, Histograms: []promHistogram{h}}}, milliseconds)
	if s.bounds[0] != 0.002 || s.counts[0] != 5 {
		t.Errorf("the first bound is %v with %v, want 0.002 with 5", s.bounds[0], s.counts[0])
	}
}
