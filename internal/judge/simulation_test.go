package judge

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// arena simulates one metric, with the noise that the law assumes or none.
type arena struct {
	rate, weight, base float64
	tau2               float64 // of the comparison; 0 is independent requests
	history            float64 // the calibrated rate over the true one
	incident           bool    // six minutes at ten times the rate, in both arms
	apart              bool    // the canary's instances are told apart, and the noise is theirs
	burst              float64 // so many times the rate, in one of a hundred minutes of an instance
	canary, stable     int
	minutes            int
	harmOnly           bool                                         // leaves the proof out
	worse              func(minute float64, lambda float64) float64 // the canary's rate
	seen               func(*track)                                 // each minute, if set
}

// result is what one run reached.
type result struct{ harm, proof, minute float64 }

// run plays one canary in samples of 15 s; minute is when the evidence of harm
// reached 200.
func (a arena) run(seed uint64) result {
	s := DefaultSettings()
	s.NoiseShare, s.InstanceWidth = 1, 0
	c := Calibration{Errors: Noise{Rate: a.base * a.history, Events: historyEvents, Tau2: math.Max(a.tau2, 1e-6)}}
	t := errorTrack(&s, &c)
	t.rules.bare = a.harmOnly
	t.CanaryInstances, t.StableInstances = a.canary, a.stable
	source := rand.NewPCG(seed, 42)
	random := rand.New(source)
	poisson := func(mean float64) float64 {
		if mean <= 0 {
			return 0
		}
		return distuv.Poisson{Lambda: mean, Src: source}.Rand()
	}
	begin := random.Float64() * 60
	noise := a.noise(t, source)
	r := result{proof: math.Inf(-1), minute: math.Inf(1)}
	for i := range 4 * a.minutes {
		minute := float64(i) / 4
		if i%4 == 0 && i > 0 {
			noise = a.noise(t, source)
		}
		lambda := a.base
		if a.incident && minute > begin && minute < begin+6 {
			lambda *= 10
		}
		n, m := a.rate*15*a.weight, a.rate*15*(1-a.weight)
		bad, by := 0.0, []InstanceErrors{}
		for k, x := range noise {
			y := poisson(n / float64(len(noise)) * x * a.worse(minute, lambda))
			bad += y
			by = append(by, InstanceErrors{strconv.Itoa(k), int64(y)})
		}
		if a.apart {
			t.attribute(by)
		}
		t.fold(15*float64(i), 15*float64(i+1), tally{CanaryBad: bad, Canary: n, StableBad: poisson(m * lambda), Stable: m}, a.weight)
		if e := t.Harm.evidence(); e > r.harm {
			if r.harm < 200 && e >= 200 {
				r.minute = minute + 0.25
			}
			r.harm = e
		}
		r.proof = math.Max(r.proof, t.Proof.logEvidence())
		if a.seen != nil && i%4 == 3 {
			a.seen(t)
		}
	}
	return r
}

// noise draws the factors of a minute: one of the whole canary, or one of each instance
// where they are told apart. Their mean is 1, and bursts come on top: they are no harm.
func (a arena) noise(t *track, source rand.Source) []float64 {
	noise := []float64{1}
	if a.apart {
		noise = make([]float64, a.canary)
	}
	shape := 1 / (a.tau2 * t.spread() * float64(len(noise)))
	for i := range noise {
		noise[i] = 1
		if a.tau2 > 0 {
			noise[i] = distuv.Gamma{Alpha: shape, Beta: shape, Src: source}.Rand()
		}
		if a.burst > 0 && rand.New(source).Float64() < 0.01 {
			noise[i] *= a.burst
		}
	}
	return noise
}

// atRegression and atPromotion are canaries exactly on the margins.
func atRegression(_, lambda float64) float64 {
	m := DefaultSettings().Errors.Regression
	return m.Ratio*lambda + m.Add
}

func atPromotion(_, lambda float64) float64 {
	m := DefaultSettings().Errors.Promotion
	return m.Ratio*lambda + m.Add
}

var arenas = map[string]arena{
	"independent requests, 200/s":         {rate: 200, weight: 0.5, base: 0.002, history: 1, canary: 5, stable: 10},
	"independent requests, 200/s at 95 %": {rate: 200, weight: 0.95, base: 0.002, history: 1, canary: 10, stable: 1},
	"noise as assumed, 200/s":             {rate: 200, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, canary: 5, stable: 10},
	"noise as assumed, 10,000/s":          {rate: 10000, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, canary: 30, stable: 60},
	"noise as assumed, 5/s":               {rate: 5, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, canary: 2, stable: 3},
	"a history half as bad, 5/s":          {rate: 5, weight: 0.5, base: 0.002, tau2: 0.3, history: 0.5, canary: 2, stable: 3},
	"a shared incident, 50/s":             {rate: 50, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, incident: true, canary: 3, stable: 6},
	"instances told apart, 200/s":         {rate: 200, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, apart: true, canary: 10, stable: 10},
	"bursts told apart, 200/s":            {rate: 200, weight: 0.5, base: 0.002, tau2: 0.3, history: 1, apart: true, burst: 10, canary: 10, stable: 10},
}

// atMost is the largest count that 1 in 1,000 tests of a true chance p exceeds, about.
func atMost(runs int, p float64) int {
	mean := float64(runs) * p
	return int(math.Ceil(mean + 3.1*math.Sqrt(mean*(1-p)) + 1))
}

func TestFalseAlarmsStayWithinTheirBounds(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 50
	}
	for name, a := range arenas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a.minutes = 60
			var twenty, convicted, proven int
			for i := range uint64(runs) {
				a.worse, a.harmOnly = atRegression, true
				r := a.run(i)
				if r.harm >= 20 {
					twenty++
				}
				if r.harm >= 200 {
					convicted++
				}
				a.worse, a.harmOnly = atPromotion, false
				if a.run(1e6+i).proof >= math.Log(20) {
					proven++
				}
			}
			t.Logf("E ≥ 20 in %d, E ≥ 200 in %d, false proofs in %d of %d", twenty, convicted, proven, runs)
			if twenty > atMost(runs, 0.05) || convicted > atMost(runs, 0.005) || proven > atMost(runs, 0.05) {
				t.Error("more than the bounds allow")
			}
		})
	}
}

func TestHarmThatBeginsLateIsFound(t *testing.T) {
	a := arenas["noise as assumed, 200/s"]
	a.minutes = 60
	a.worse = func(minute, lambda float64) float64 {
		return lambda * (1 + math.Max(0, minute-20)) // from minute 20 on, worse by λ each minute
	}
	for i := range uint64(40) {
		if r := a.run(i); r.minute < 20 || r.minute > 32 {
			t.Errorf("run %d: a leak from minute 20 on was found in minute %v", i, r.minute)
		}
	}
}

func TestAnEqualCanaryIsProven(t *testing.T) {
	a := arenas["noise as assumed, 10,000/s"]
	a.minutes = 30
	a.worse = func(_, lambda float64) float64 { return lambda }
	proven := 0
	for i := range uint64(40) {
		if a.run(i).proof >= math.Log(20) {
			proven++
		}
	}
	if proven < 38 {
		t.Errorf("proven in %d of 40 runs", proven)
	}
}
