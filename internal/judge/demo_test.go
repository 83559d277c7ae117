package judge

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// demoSettings are those of the demo: quick decisions on synthetic traffic.
func demoSettings() Settings {
	s := DefaultSettings()
	s.FalseAlarm = 0.0025
	s.Errors, s.Latency = ErrorMargin(0.02), LatencyMargin(0.5, 0)
	s.Block = 10 * time.Second
	s.Dwell = 10 * time.Second
	s.Observation = 2 * time.Minute
	s.SlowerThan = 500 * time.Millisecond
	s.Growth.Exposure = 200
	s.Growth.Every = 5 * time.Second
	return s
}

// world makes samples of one second.
type world struct {
	random         *rand.Rand
	rate           float64
	base, extra    float64 // error rates
	slow           float64 // factor of the canary's latency
	canary, stable int
	warmUp         float64
	second         float64
	bounds         []float64
}

func newWorld(seed uint64, rate, base, extra, slow float64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{random: r, rate: rate, base: base, extra: extra, slow: slow, canary: 1 + r.IntN(2), stable: 1 + r.IntN(2), warmUp: 5}
	for b := 0.001; b < 10; b *= 1.0905077 {
		w.bounds = append(w.bounds, b)
	}
	return w
}

func (w *world) binomial(n int64, p float64) int64 {
	var k int64
	for range n {
		if w.random.Float64() < p {
			k++
		}
	}
	return k
}

func (w *world) poisson(mean float64) int64 {
	var k int64
	for t := w.random.ExpFloat64(); t < mean; t += w.random.ExpFloat64() {
		k++
	}
	return k
}

func (w *world) arm(n int64, bad, slow float64, instances int, warm bool) Arm {
	a := Arm{Requests: n, Errors: w.binomial(n, bad), Instances: instances}
	if !warm {
		return a
	}
	a.WarmInstances = instances
	a.Latency = Histogram{Bounds: w.bounds, Counts: make([]int64, len(w.bounds)+1)}
	for range n {
		x := 0.02 * slow * math.Exp(0.6*w.random.NormFloat64())
		a.Latency.Counts[sort.SearchFloat64s(w.bounds, x)]++
	}
	return a
}

func (w *world) sample(at time.Time, weight float64) Sample {
	w.second++
	s := Sample{At: at, Weight: weight}
	s.Stable = w.arm(w.poisson(w.rate*(1-weight)), w.base, 1, w.stable, true)
	s.Canary = w.arm(w.poisson(w.rate*weight), w.base+w.extra, w.slow, w.canary, w.second > w.warmUp)
	return s
}

type outcome struct {
	kind    Kind
	seconds int
	bad     int64
	judge   *Judge
}

func runCanary(w *world, s Settings) outcome {
	c := Calibrate(History{}, s, w.rate, 1)
	j, z := New(s, c, testStart), NewSizing(s, c, testStart)
	o := outcome{judge: j, kind: Hold}
	for o.seconds < 120 {
		o.seconds++
		at := testStart.Add(time.Duration(o.seconds) * time.Second)
		sample := w.sample(at, z.Weight)
		o.bad += sample.Canary.Errors
		j.Observe(sample)
		z.Observe(sample)
		v := j.Decide(at)
		if o.kind = v.Kind; v.Kind != Hold {
			break
		}
		z.Next(at, v)
	}
	return o
}

func runWatch(w *world, s Settings, c Calibration) outcome {
	s.Watch = 15 * time.Second
	w.second = 0
	j := New(s, c, testStart)
	o := outcome{judge: j, kind: Hold}
	for o.seconds < 60 {
		o.seconds++
		at := testStart.Add(time.Duration(o.seconds) * time.Second)
		j.Observe(w.sample(at, 0.95))
		if o.kind = j.Decide(at).Kind; o.kind != Hold {
			break
		}
	}
	return o
}

func median(x []int) int {
	sort.Ints(x)
	return x[len(x)/2]
}

func TestDemoFindsABadCanary(t *testing.T) {
	var secs, bad []int
	for i := range uint64(100) {
		w := newWorld(i, 200, 0.002+0.003*float64(i%4)/3, 0.05, 1.2)
		o := runCanary(w, demoSettings())
		if o.kind != Fail {
			t.Errorf("run %d: the bad canary ended in %s", i, o.kind)
		}
		secs, bad = append(secs, o.seconds), append(bad, int(o.bad))
	}
	t.Logf("median %d s and %d bad requests; worst %d s, %d", median(secs), median(bad), secs[len(secs)-1], bad[len(bad)-1])
	if median(secs) > 12 || median(bad) > 60 {
		t.Errorf("too slow or too harmful")
	}
}

func TestDemoPromotesAGoodCanary(t *testing.T) {
	var secs, watch []int
	for i := range uint64(300) {
		w := newWorld(1000+i, 200, 0.002+0.003*float64(i%4)/3, 0, 1)
		o := runCanary(w, demoSettings())
		secs = append(secs, o.seconds)
		if o.kind != Pass {
			v := o.judge.Verdict(testStart.Add(120 * time.Second))
			t.Errorf("run %d: the good canary ended in %s after %d s: %s", i, o.kind, o.seconds, v.Paragraph())
			continue
		}
		o = runWatch(w, demoSettings(), o.judge.Calibration())
		watch = append(watch, o.seconds)
		if o.kind != Pass {
			t.Errorf("run %d: the watch ended in %s after %d s: %s", i, o.kind, o.seconds, o.judge.Verdict(testStart.Add(time.Duration(o.seconds)*time.Second)).Paragraph())
		}
	}
	t.Logf("canary: median %d s, p95 %d, worst %d; watch: median %d s, worst %d", median(secs), secs[len(secs)*95/100], secs[len(secs)-1], median(watch), watch[len(watch)-1])
	if median(secs) > 35 {
		t.Errorf("too slow")
	}
}
