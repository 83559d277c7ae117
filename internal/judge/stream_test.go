package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// stream is random samples of a minute's quarter, for properties that all must have.
type stream struct {
	settings Settings
	noise    Calibration
	samples  []Sample
}

// streamDraw is what a stream's samples have in common.
type streamDraw struct {
	*rapid.T
	weight    float64
	size      int64 // of both arms together
	instances int
	apart     bool // the canary's instances are told apart
	timed     bool // there are latencies, of warm and of cold instances
	// leastStable is how many requests stable has at least.
	leastStable int64
}

// drawStream draws any stream whose samples have at least leastStable requests of stable.
func drawStream(t *rapid.T, leastStable int64) stream {
	s := stream{settings: DefaultSettings()}
	s.settings.Dwell = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "dwell")
	s.noise = Calibration{Errors: Noise{
		Rate:   math.Exp(rapid.Float64Range(-9, -3).Draw(t, "log rate")),
		Events: historyEvents,
		Tau2:   rapid.SampledFrom([]float64{0.001, 0.05, 0.5}).Draw(t, "tau2"),
		Sigma2: rapid.SampledFrom([]float64{0, 0.02}).Draw(t, "sigma2"),
	}}
	d := streamDraw{
		T:           t,
		weight:      rapid.SampledFrom([]float64{0.01, 0.2, 0.5, 0.95}).Draw(t, "weight"),
		size:        rapid.SampledFrom([]int64{3, 100, 20000}).Draw(t, "size"),
		instances:   rapid.IntRange(1, 20).Draw(t, "instances"),
		apart:       rapid.Bool().Draw(t, "apart"),
		timed:       rapid.Bool().Draw(t, "timed"),
		leastStable: leastStable,
	}
	if d.timed {
		s.noise.Latency = []Threshold{{Bound: 0.1, Slope: 2, Noise: latencyPrior.noise(0.02, 100)}}
		slow := []int64{980, 20}
		s.noise.ColdStart = ColdStart{Bounds: []float64{0.1}, Ages: []ColdAge{{Canary: []int64{960, 40}, Stable: slow}, {Canary: []int64{975, 25}, Stable: slow}}}
	}
	for i := range rapid.IntRange(1, 30).Draw(t, "samples") {
		s.samples = append(s.samples, Sample{
			At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: d.weight, Stable: d.stable(), Canary: d.canary(),
		})
	}
	return s
}

func (d streamDraw) stable() Arm {
	a := d.arm("stable", 1-d.weight)
	a.Requests += d.leastStable
	if d.timed {
		a.Latency.Counts[0] += d.leastStable
	}
	a.Errors = d.upTo(a.Requests, "stable errors") / 100
	return a
}

func (d streamDraw) canary() Arm {
	a := d.arm("canary", d.weight)
	a.Errors = d.upTo(a.Requests, "canary errors")
	if rapid.IntRange(0, 3).Draw(d.T, "canary bad day") > 0 {
		a.Errors /= 100
	}
	if d.apart {
		a.ErrorsBy = []InstanceErrors{}
		left := a.Errors
		for i := range min(d.instances, 4) {
			if n := d.upTo(left, "errors of an instance"); n > 0 {
				a.ErrorsBy = append(a.ErrorsBy, InstanceErrors{fmt.Sprint(i), n})
				left -= n
			}
		}
	}
	if d.timed && rapid.Bool().Draw(d.T, "cold") {
		a.Cold = d.latency(a.Requests - a.Latency.Total())
		a.ColdAge = rapid.Float64Range(0, 60).Draw(d.T, "cold age")
	}
	return a
}

// arm is an arm's requests and latencies.
func (d streamDraw) arm(label string, share float64) Arm {
	a := Arm{Requests: d.upTo(1+int64(share*float64(d.size)), label+" requests"), Instances: d.instances}
	if d.timed {
		a.Latency = d.latency(d.upTo(a.Requests, label+" warm requests"))
	}
	return a
}

func (d streamDraw) latency(requests int64) Histogram {
	slow := d.upTo(requests, "slow requests") / rapid.SampledFrom([]int64{1, 50}).Draw(d.T, "one slow of")
	return Histogram{Bounds: []float64{0.1}, Counts: []int64{requests - slow, slow}}
}

func (d streamDraw) upTo(n int64, label string) int64 { return rapid.Int64Range(0, n).Draw(d.T, label) }

// worsened is what an arm did with more errors and more slow requests.
func worsened(t *rapid.T, a Arm) Arm {
	more := rapid.Int64Range(0, a.Requests-a.Errors).Draw(t, "more errors")
	a.Errors += more
	if a.ErrorsBy != nil && rapid.Bool().Draw(t, "of one instance") {
		one := InstanceErrors{fmt.Sprint(rapid.IntRange(0, a.Instances-1).Draw(t, "which")), more}
		a.ErrorsBy = append(slices.Clone(a.ErrorsBy), one)
	}
	for _, h := range []*Histogram{&a.Latency, &a.Cold} {
		if !h.Empty() {
			n := rapid.Int64Range(0, h.Counts[0]).Draw(t, "more slow")
			h.Counts = []int64{h.Counts[0] - n, h.Counts[1] + n}
		}
	}
	return a
}

// halve splits what an arm did at some instant of the interval.
func halve(t *rapid.T, a Arm) (first, second Arm) {
	part := func(n int64) int64 { return rapid.Int64Range(0, n).Draw(t, "part") }
	first, second = a, a
	first.Errors, first.ErrorsBy, second.ErrorsBy = 0, a.ErrorsBy[:0:0], a.ErrorsBy[:0:0]
	unknown := a.Errors
	for _, by := range a.ErrorsBy {
		n := part(by.Errors)
		first.Errors += n
		unknown -= by.Errors
		first.ErrorsBy = append(first.ErrorsBy, InstanceErrors{by.Instance, n})
		second.ErrorsBy = append(second.ErrorsBy, InstanceErrors{by.Instance, by.Errors - n})
	}
	first.Errors += part(unknown)
	first.Requests = first.Errors + part(a.Requests-a.Errors)
	second.Errors, second.Requests = a.Errors-first.Errors, a.Requests-first.Requests
	for _, h := range []struct{ of, first, second *Histogram }{
		{&a.Latency, &first.Latency, &second.Latency}, {&a.Cold, &first.Cold, &second.Cold},
	} {
		h.first.Counts, h.second.Counts = nil, nil
		for _, n := range h.of.Counts {
			some := part(n)
			h.first.Counts, h.second.Counts = append(h.first.Counts, some), append(h.second.Counts, n-some)
		}
	}
	return first, second
}

func (s stream) timed() bool { return len(s.noise.Latency) > 0 }

func (s stream) judge() *Judge { return New(s.settings, s.noise, testStart) }

func (s stream) run(samples []Sample) *Judge {
	j := s.judge()
	for _, x := range samples {
		j.Observe(x)
	}
	return j
}

func (s stream) end() time.Time { return s.samples[len(s.samples)-1].At }
