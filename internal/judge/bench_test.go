package judge

import (
	"testing"
	"time"
)

// busy is a judge with errors and three latency thresholds, and its next sample.
func busy() (*Judge, Sample) {
	s := DefaultSettings()
	c := Calibrate(History{}, s, 200, 1)
	for i, slope := range []float64{1.9, 4.4, 5.6} {
		rate := []float64{0.3, 0.01, 0.001}[i]
		c.Latency = append(c.Latency, Threshold{Bound: 0.1 * float64(i+1), Slope: slope, Noise: latencyPrior.noise(rate, historyEvents)})
	}
	h := Histogram{Bounds: []float64{0.1, 0.2, 0.3}, Counts: []int64{700, 290, 9, 1}}
	arm := Arm{Requests: 1000, Errors: 2, Latency: h, Instances: 4, WarmInstances: 4}
	return New(s, c, testStart), Sample{Weight: 0.5, Stable: arm, Canary: arm, At: testStart}
}

func BenchmarkObserveAndDecide(b *testing.B) {
	j, x := busy()
	b.ReportAllocs()
	for b.Loop() {
		x.At = x.At.Add(time.Second)
		j.Observe(x)
		j.Decide(x.At)
	}
}

func BenchmarkVerdict(b *testing.B) {
	j, x := busy()
	for range 100 {
		x.At = x.At.Add(time.Second)
		j.Observe(x)
	}
	b.ReportAllocs()
	for b.Loop() {
		j.Verdict(x.At)
	}
}

func BenchmarkState(b *testing.B) {
	j, x := busy()
	for range 100 {
		x.At = x.At.Add(time.Second)
		j.Observe(x)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		state, err := j.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		n = len(state)
	}
	b.ReportMetric(float64(n), "bytes")
}

func TestObserveAndDecideDoNotAllocate(t *testing.T) {
	j, x := busy()
	step := func() {
		x.At = x.At.Add(time.Second)
		j.Observe(x)
		j.Decide(x.At)
	}
	for range 100 {
		step() // the first end of a block makes the grid of ratios
	}
	if n := testing.AllocsPerRun(200, step); n > 0 {
		t.Errorf("%v allocations per sample", n)
	}
}
