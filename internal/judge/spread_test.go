package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTheWorstInstancesCountNoMoreThanTheOthers(t *testing.T) {
	for _, c := range []struct {
		what   string
		counts []float64
		k      int
		least  float64
		most   float64
	}{
		{"single errors are nobody's burst", []float64{1, 1, 1}, 10, 0, 0},
		{"one instance with all the errors", []float64{40}, 10, 25, 40},
		{"two of ten with all the errors", []float64{40, 38}, 10, 40, 78},
		{"three of ten are more than the worst fifth", []float64{40, 40, 40}, 10, 0, 0},
		{"an even spread is chance", []float64{9, 10, 11, 12, 8, 10, 9, 13, 10, 8}, 10, 0, 0},
		{"one of three with all the errors", []float64{12}, 3, 5, 12},
	} {
		got := excess(append([]float64(nil), c.counts...), c.k)
		if got < c.least || got > c.most {
			t.Errorf("%s: %v of %v are not counted, want %v to %v", c.what, got, c.counts, c.least, c.most)
		}
	}
}

// The expected excess is that of counts drawn at random.
func TestChanceGivesTheWorstInstancesMore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{10, 60} {
		for _, mean := range []float64{0.1, 1, 10, 29, 31, 60} {
			sum := 0.0
			const runs = 300
			for range runs {
				counts := make([]float64, k)
				for i := range counts {
					counts[i] = poisson(random, mean*gammaDraw(random, 1/chanceTau2)*chanceTau2)
				}
				sum += excessBeyond(counts, math.Max(1, quantile(counts, worstOf(k))))
			}
			got, want := chanceExcess(mean, k), sum/runs
			// The quantile of a few counts is not the law's: a third apart is near enough.
			if math.Abs(got-want) > 0.35*want+0.3 {
				t.Errorf("%d instances with %v events each: expected excess %.2f, drawn %.2f", k, mean, got, want)
			}
		}
	}
}

func excessBeyond(counts []float64, most float64) float64 {
	sum := 0.0
	for _, n := range counts {
		sum += math.Max(0, n-most)
	}
	return sum
}

// quantile is the largest count but the worst ones.
func quantile(counts []float64, worst int) float64 {
	c := append([]float64(nil), counts...)
	for range worst {
		top := 0
		for i := range c {
			if c[i] > c[top] {
				top = i
			}
		}
		c[top] = -1
	}
	most := 0.0
	for _, n := range c {
		most = math.Max(most, n)
	}
	return most
}

func poisson(r *rand.Rand, mean float64) float64 {
	n, at := 0.0, r.ExpFloat64()
	for at < mean {
		n++
		at += r.ExpFloat64()
	}
	return n
}

// gammaDraw draws from a gamma of a whole shape with scale 1.
func gammaDraw(r *rand.Rand, shape float64) float64 {
	x := 0.0
	for range int(shape) {
		x += r.ExpFloat64()
	}
	return x
}

// bursting is a canary of ten instances whose errors all come from so many of them.
func bursting(instances int, told bool) *Judge { return burstingFor(instances, told, 8) }

// burstingFor is that after so many quarters of a minute.
func burstingFor(instances int, told bool, quarters int) *Judge {
	s := DefaultSettings()
	j := New(s, Calibrate(History{}, s, 200, 1), testStart)
	for i := range quarters {
		x := Sample{
			At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: 0.5,
			Stable: Arm{Requests: 1500, Errors: 3, Instances: 10},
			Canary: Arm{Requests: 1500, Errors: 30, Instances: 10},
		}
		if told {
			x.Canary.ErrorsBy = []InstanceErrors{}
			for k := range instances {
				x.Canary.ErrorsBy = append(x.Canary.ErrorsBy, InstanceErrors{fmt.Sprint(k), int64(30 / instances)})
			}
		}
		j.Observe(x)
	}
	return j
}

func TestABurstOfOneInstanceIsNoHarm(t *testing.T) {
	s := DefaultSettings()
	told, untold := New(s, Calibrate(History{}, s, 200, 1), testStart), New(s, Calibrate(History{}, s, 200, 1), testStart)
	for i := range 8 { // fifteen times the errors in one of ten instances, for two minutes
		x := Sample{
			At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: 0.5,
			Stable: Arm{Requests: 1500, Errors: 3, Instances: 10},
			Canary: Arm{Requests: 1500, Errors: 7, Instances: 10, ErrorsBy: []InstanceErrors{{"0", 5}, {fmt.Sprint(i%9 + 1), 2}}},
		}
		told.Observe(x)
		x.Canary.ErrorsBy = nil
		untold.Observe(x)
	}
	if e := told.Evidence(); e > 2 {
		t.Errorf("a burst in one of ten instances: evidence %v", e)
	}
	if a, b := told.Evidence(), untold.Evidence(); a > b/2 {
		t.Errorf("a burst in one of ten instances: evidence %v, and %v where nothing is known of them", a, b)
	}
	if e := bursting(10, true).Evidence(); e < 1000 {
		t.Errorf("the same errors in all instances: evidence %v", e)
	}
	spread, unknown := bursting(10, true).Evidence(), bursting(10, false).Evidence()
	if spread <= unknown {
		t.Errorf("evidence %v where all instances are known to agree, %v where nothing is known of them", spread, unknown)
	}
}

// wandering is a canary of ten instances, one of which has all the errors, another one
// each minute or always the same: six times stable's, for so many minutes.
func wandering(minutes int, wanders bool) *Judge {
	s := DefaultSettings()
	j := New(s, Calibrate(History{}, s, 200, 1), testStart)
	for i := range 4 * minutes {
		instance := "0"
		if wanders {
			instance = fmt.Sprint(i / 4)
		}
		j.Observe(Sample{
			At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: 0.5,
			Stable: Arm{Requests: 1500, Errors: 3, Instances: 10},
			Canary: Arm{Requests: 1500, Errors: 18, Instances: 10, ErrorsBy: []InstanceErrors{{instance, 18}}},
		})
	}
	return j
}

func TestHarmInOneInstanceAtATimeIsFound(t *testing.T) {
	for _, wanders := range []bool{false, true} {
		if e := wandering(8, wanders).Evidence(); e < 250 {
			t.Errorf("wandering %v, after eight minutes: evidence %v", wanders, e)
		}
	}
}

// Three times the errors, all in one of three instances, are not found as harm. A canary
// does not prove itself with them, and a watch does not end well.
func TestHarmInOneInstanceThatIsLeftOutDoesNotPass(t *testing.T) {
	for _, watch := range []time.Duration{0, 30 * time.Minute} {
		s := DefaultSettings()
		s.Watch = watch
		j := New(s, Calibrate(History{}, s, 200, 1), testStart)
		at := testStart
		for range 4 * 45 {
			at = at.Add(15 * time.Second)
			j.Observe(Sample{
				At: at, Weight: 0.9, Stable: Arm{Requests: 300, Errors: 1, Instances: 3},
				Canary: Arm{Requests: 2700, Errors: 27, Instances: 3, ErrorsBy: []InstanceErrors{{"0", 21}, {"1", 3}, {"2", 3}}},
			})
		}
		if v := j.Decide(at); v.Kind == Pass {
			t.Errorf("watch %s: %+v", watch, v)
		}
	}
}

// One broken instance is no proof of harm, but no pass either.
func TestABurstOfOneInstanceIsNoProofEither(t *testing.T) {
	if p := bursting(1, true).Decide(testStart.Add(2 * time.Minute)).Proof; p > 0 {
		t.Errorf("proof %v", p)
	}
}

// A service whose past is full of bursts must show more before a canary is taken back at
// once, and gains less in a slice. What fails entirely goes back at once all the same.
func TestBurstsOfThePastAskForMore(t *testing.T) {
	s := DefaultSettings()
	after := func(tau2 float64, errors int64, by ...int64) float64 {
		c := Calibration{Errors: Noise{Rate: 0.002, Events: historyEvents, Tau2: tau2, Sigma2: 0.02}}
		j := New(s, c, testStart)
		x := Sample{
			At: testStart.Add(15 * time.Second), Weight: 0.5, Stable: Arm{Requests: 60, Instances: 3},
			Canary: Arm{Requests: 60, Errors: errors, Instances: 3, ErrorsBy: []InstanceErrors{}},
		}
		for i, n := range by {
			x.Canary.ErrorsBy = append(x.Canary.ErrorsBy, InstanceErrors{fmt.Sprint(i), n})
		}
		j.Observe(x)
		return j.Evidence()
	}
	const calm, bursting = 0.5, 2.5
	if e := after(calm, 12, 6, 6, 0); e < 500 {
		t.Errorf("a fifth fails, in a calm service: evidence %v", e)
	}
	if e := after(bursting, 12, 6, 6, 0); e > 20 {
		t.Errorf("a fifth fails, in a service that has bursts: evidence %v", e)
	}
	if e := after(bursting, 60, 20, 20, 20); e < 500 {
		t.Errorf("all fail, in a service that has bursts: evidence %v", e)
	}
}

// A slice of a service that has bursts gains less than one of a calm service, the shorter
// blocks of a release ask for no more caution, and the past asks for no more than so much.
func TestBurstsDivideTheClip(t *testing.T) {
	for _, c := range []struct{ tau2, block, want float64 }{
		{0.5, 60, 1}, {1.4, 60, 2}, {1.4, 300, 2}, {6 * 1.4, 10, 2}, {0.5, 10, 1}, {20, 60, mostBursts},
	} {
		if got := burstsIn(Noise{Tau2: c.tau2}, c.block); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("τ² %v in blocks of %v s: %v times as bursty, want %v", c.tau2, c.block, got, c.want)
		}
	}
	gain := func(bursts float64) float64 {
		m := testTrack(0.01, 0)
		m.rules.effects = []effect{{factor: 12, logFactor: math.Log(12)}}
		m.Harm = newRegression(1)
		m.rules.bursts = bursts
		m.CanaryInstances, m.StableInstances = 1, 1
		m.fold(0, 60, counts(200, 3000, 6, 3000), 0.5)
		return math.Log(m.Harm.Open[0] / firstStake)
	}
	clip := DefaultSettings().Clip
	slow := testTrack(0.01, 0)
	slow.Bound = 0.25
	if got, want := slow.clip(), 1.25*clip; got != want {
		t.Errorf("a slice of latency gains %v at most, want %v", got, want)
	}
	for _, bursts := range []float64{1, 2, 5} {
		if got, want := gain(bursts), clip/bursts; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v times as bursty: a slice gains %v, want %v", bursts, got, want)
		}
	}
}

// What is left out in all is bounded by what stable's rate lets expect.
func TestWhatIsLeftOutIsBounded(t *testing.T) {
	m := testTrack(0.01, 0)
	m.CanaryInstances, m.StableInstances = 10, 10
	m.attribute([]InstanceErrors{{"0", 500}})
	m.fold(0, 60, counts(500, 6000, 60, 6000), 0.5)
	if got, want := m.Left.Events, leftOutAtOnce+2*m.Left.Expected; math.Abs(got-want) > 1e-9 || want < 100 {
		t.Errorf("%v are left out, want %v", got, want)
	}
}

// However much may be left out in all, what convicts at once shows in all instances.
func TestOneInstanceConvictsNobodyAtOnce(t *testing.T) {
	s := DefaultSettings()
	j := New(s, Calibrate(History{}, s, 200, 1), testStart)
	j.Observe(Sample{
		At: testStart.Add(15 * time.Second), Weight: 0.5, Stable: Arm{Requests: 1500, Errors: 3, Instances: 10},
		Canary: Arm{Requests: 1500, Errors: 150, Instances: 10, ErrorsBy: []InstanceErrors{{"0", 150}}},
	})
	if e := j.Evidence(); e > 200 {
		t.Errorf("evidence %v", e)
	}
}

func TestStateKeepsInstances(t *testing.T) {
	whole, again := bursting(3, true), bursting(3, true)
	text, err := again.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var read Judge
	if err := read.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	x := Sample{
		At: testStart.Add(135 * time.Second), Weight: 0.5, Stable: Arm{Requests: 1500, Errors: 3, Instances: 10},
		Canary: Arm{Requests: 1500, Errors: 4, Instances: 10, ErrorsBy: []InstanceErrors{{"0", 4}}},
	}
	whole.Observe(x)
	read.Observe(x)
	if a, b := whole.Evidence(), read.Evidence(); a != b {
		t.Errorf("evidence %v, read back %v", a, b)
	}
}
