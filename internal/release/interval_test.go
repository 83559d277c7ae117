package release

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairwayhq/fairway/internal/judge"
)

func TestErrorRateIsWilsons(t *testing.T) {
	for _, c := range []struct {
		errors, requests int64
		want             Interval
	}{
		{0, 0, Interval{}},
		{0, 10, Interval{Known: true, Value: 0, Low: 0, High: 0.277533}},
		{5, 10, Interval{Known: true, Value: 0.5, Low: 0.236593, High: 0.763407}},
		{1, 100, Interval{Known: true, Value: 0.01, Low: 0.001767, High: 0.054486}},
		{10, 10, Interval{Known: true, Value: 1, Low: 0.722467, High: 1}},
	} {
		got := ErrorRate(c.errors, c.requests)
		if got.Known != c.want.Known || !near(got.Value, c.want.Value) || !near(got.Low, c.want.Low) || !near(got.High, c.want.High) {
			t.Errorf("ErrorRate(%d, %d) = %+v, want %+v", c.errors, c.requests, got, c.want)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// The interval must hold the truth in about 95 % of all samples.
func TestErrorRateCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range []float64{0.001, 0.01, 0.1, 0.5} {
		const rounds = 4000
		held := 0
		for range rounds {
			n := 2000
			errors := int64(distuv.Binomial{N: float64(n), P: p, Src: r}.Rand())
			if i := ErrorRate(errors, int64(n)); i.Low <= p && p <= i.High {
				held++
			}
		}
		if share := float64(held) / rounds; share < 0.93 {
			t.Errorf("p = %v: the interval held the truth in %.3f of the samples", p, share)
		}
	}
}

func TestBinomialQuantileIsExactWhereItMustBe(t *testing.T) {
	for _, n := range []int64{1, 2, 7, 30, 100, 367, 368, 1500, 10_000} {
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
			for _, level := range []float64{0.025, 0.975} {
				got := binomialQuantile(n, q, level)
				want := int64(sort.Search(int(n), func(k int) bool { return distuv.Binomial{N: float64(n), P: q}.CDF(float64(k)) >= level }))
				slack := int64(0)
				if float64(n)*q*(1-q) > 100 {
					slack = 1 // the normal approximation
				}
				if got < want-slack || got > want+slack {
					t.Errorf("binomialQuantile(%d, %v, %v) = %d, want %d", n, q, level, got, want)
				}
			}
		}
	}
}

// histogramOf counts into bounds that are 2^(1/4) apart, as the router's are.
func histogramOf(values []float64) judge.Histogram {
	var h judge.Histogram
	for i := -44; i <= 24; i++ {
		h.Bounds = append(h.Bounds, math.Exp2(float64(i)/4))
	}
	h.Counts = make([]int64, len(h.Bounds)+1)
	for _, v := range values {
		h.Counts[sort.SearchFloat64s(h.Bounds, v)]++
	}
	return h
}

func TestQuantileCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, q := range []float64{0.5, 0.99} {
		truth := -0.05 * math.Log(1-q) // of an exponential distribution with mean 50 ms
		const rounds = 1000
		held := 0
		var off float64
		for range rounds {
			values := make([]float64, 2000)
			for i := range values {
				values[i] = 0.05 * r.ExpFloat64()
			}
			i := Quantile(histogramOf(values), q)
			if !i.Known || i.Open {
				t.Fatalf("q = %v: %+v", q, i)
			}
			if i.Low <= truth && truth <= i.High {
				held++
			}
			off += i.Value/truth - 1
		}
		if share := float64(held) / rounds; share < 0.95 {
			t.Errorf("q = %v: the interval held the truth in %.3f of the samples", q, share)
		}
		if mean := math.Abs(off / rounds); mean > 0.03 {
			t.Errorf("q = %v: the estimate is off by %.3f", q, mean)
		}
	}
}

func TestQuantileWithLittleData(t *testing.T) {
	if i := Quantile(judge.Histogram{}, 0.5); i.Known {
		t.Errorf("a quantile of nothing: %+v", i)
	}
	i := Quantile(histogramOf([]float64{0.1, 0.1, 0.2}), 0.99)
	if !i.Known || !i.Open || i.High < 0.2 || i.Low != 0 && i.Low > 0.2 {
		t.Errorf("three observations give %+v; no upper bound can be told", i)
	}
	all := Quantile(histogramOf([]float64{100, 100, 100, 100, 100, 100, 100, 100}), 0.5)
	if all.High != 64 || all.Value != 64 {
		t.Errorf("above the last bound: %+v, want the last bound", all)
	}
}
