package world

import (
	"math"
	"time"
)

// Tick is the step of time.
const Tick = 5 * time.Second

const tick = 5.0 // seconds

// World is one service during one release.
type World struct {
	Service  Service
	Noise    Noise
	Scenario Scenario

	seed                  uint64
	now                   float64 // seconds since the release began
	environment           *generator
	stable, canary        *arm
	phase                 float64 // of the day, in seconds
	traffic, errors, slow process
	incident, over        float64 // its begin and end; both 0 without one
	split                 *split  // nil where nobody asks for instances

	done Done
}

// Done is what happened in one tick.
type Done struct {
	Stable, Canary Counts
	// CanaryErrors are the canary's errors by instance, where LookAtInstances asked.
	CanaryErrors []int64
	// Harm is how many more bad requests the canary made than the stable version
	// would have in its place: the expectation, not a count.
	Harm float64
	// LogRatio is the log likelihood ratio of the canary's counts under the fault
	// against none, with every part of the noise known. Only an oracle may read it.
	LogRatio float64
}

// New begins a release at time 0. The same arguments make the same world.
func New(s Service, n Noise, scenario Scenario, seed uint64) *World {
	w := &World{Service: s, Noise: n, Scenario: scenario, seed: seed, environment: newGenerator(seed, ofEnvironment)}
	g := w.environment
	w.phase = g.Float64() * day
	w.traffic.value, w.errors.value, w.slow.value = g.NormFloat64(), g.NormFloat64(), g.NormFloat64()
	strikes, start, length := g.Float64() < n.Incident, 120+g.Float64()*3480, 180+g.Float64()*300
	if strikes {
		w.incident, w.over = start, start+length
	}
	w.stable = newArm(&n, s.Instances, newGenerator(seed, ofStableNoise), newGenerator(seed, ofStableCounts))
	w.stable.cohorts = []cohort{{s.Instances, -math.MaxFloat64}}
	w.canary = newArm(&n, s.Instances, newGenerator(seed, ofCanaryNoise), newGenerator(seed, ofCanaryCounts))
	return w
}

const day = 86400.0

// Seed is what the world was made of.
func (w *World) Seed() uint64 { return w.seed }

// LookAtInstances makes the world tell which instances of the canary made its errors.
func (w *World) LookAtInstances() { w.split = &split{random: newGenerator(w.seed, ofSplit)} }

// Now is the time since the release began.
func (w *World) Now() time.Duration { return time.Duration(w.now * float64(time.Second)) }

// Step lives through one tick with so much of the traffic on the canary and so many
// of its instances. The stable arm keeps all of its own. The result is valid until
// the next step.
func (w *World) Step(weight float64, instances int) *Done {
	w.done = Done{}
	shared := w.weather()
	requests := w.rate() * tick
	if weight > 0 {
		w.canary.grow(max(1, instances), w.now)
	}
	for _, side := range []struct {
		arm    *arm
		counts *Counts
		mean   float64
		effect effect
	}{
		{w.stable, &w.done.Stable, requests * (1 - weight), effect{factor: 1, scale: 1, spread: w.Service.Spread}},
		{w.canary, &w.done.Canary, requests * weight, w.Scenario.at(w.now-w.canary.first, weight, w.Service.Spread)},
	} {
		own := side.arm.blow(&w.Noise, w.now)
		lost := w.restart(side.arm)
		side.arm.settle(w.now, &w.Service)
		if side.mean > 0 {
			own.errors *= shared.errors
			own.latency += shared.latency
			w.serve(side.arm, side.counts, side.mean, lost, own, side.effect)
		}
		if w.split != nil && side.arm == w.canary && weight > 0 {
			rate := w.Service.Errors * shared.errors
			w.done.CanaryErrors = w.split.deal(side.counts.Errors, side.arm.factors[:side.arm.instances()], rate, side.effect)
		}
	}
	w.now += tick
	return &w.done
}

// weather is the part of the noise that both arms share.
func (w *World) weather() weather {
	n := &w.Noise
	s := weather{
		errors:  lognormal(n.SharedErrors, w.errors.step(w.environment, tick, sharedMemory)),
		latency: n.SharedLatency * w.slow.step(w.environment, tick, sharedMemory),
	}
	if w.now >= w.incident && w.now < w.over {
		s.errors *= n.IncidentErrors
		s.latency += math.Log(n.IncidentLat)
	}
	return s
}

// rate is the number of requests per second now.
func (w *World) rate() float64 {
	n := &w.Noise
	x := w.traffic.step(w.environment, tick, trafficMemory)
	return w.Service.Rate * (1 + n.Daily*math.Sin(2*math.Pi*(w.now+w.phase)/day)) * lognormal(n.Traffic, x)
}

// restart lets an instance of the arm restart now and then. It returns the share of
// the arm's counts of this tick that no scrape will ever see: the counters begin anew.
func (w *World) restart(a *arm) float64 {
	if w.Noise.RestartEvery == 0 {
		return 0
	}
	hit, lost := a.noise.Float64() < tick/w.Noise.RestartEvery.Seconds(), a.noise.Float64()
	if !hit || len(a.cohorts) == 0 {
		return 0
	}
	a.restart(w.now)
	return lost / float64(a.instances())
}

// serve draws an arm's counts of one tick, cohort by cohort.
func (w *World) serve(a *arm, c *Counts, mean, lost float64, now weather, e effect) {
	all := float64(a.instances())
	before := math.Min(1, w.Service.Errors*now.errors)
	after := e.errors(before)
	var usual, shares [buckets]float64
	for _, co := range a.cohorts {
		share := mean * float64(co.instances) / all
		age := w.now - co.born
		median := w.Service.Median.Seconds() * math.Exp(now.latency)
		if cold := w.Service.Cold.Seconds(); age < coldFor*cold {
			median *= 1 + math.Exp(-age/cold)
		}
		slowBefore := w.latency(&usual, median, w.Service.Spread)
		slowAfter, faulty := slowBefore, e.scale != 1 || e.spread != w.Service.Spread
		shares = usual
		if faulty {
			slowAfter = w.latency(&shares, median*e.scale, e.spread)
		}
		var got Counts
		for i, q := range shares {
			n := a.counts.poisson(share * (1 - lost) * q)
			got.Latency[i], got.Requests = n, got.Requests+n
			if faulty && n > 0 && usual[i] > 1e-12 {
				w.done.LogRatio += float64(n) * math.Log(q/usual[i])
			}
		}
		if age >= w.Service.WarmUp.Seconds() {
			got.Warm = got.Latency
		}
		got.Errors = a.counts.binomial(got.Requests, after)
		c.add(&got)
		if after != before {
			w.done.LogRatio += logRatio(got.Errors, got.Requests, before, after)
		}
		bad := (1 - (1-after)*(1-slowAfter)) - (1 - (1-before)*(1-slowBefore))
		w.done.Harm += share * math.Max(0, bad)
	}
}

// latency writes the share of each bucket and returns that of the slow requests.
func (w *World) latency(shares *[buckets]float64, median, spread float64) float64 {
	above, log := 1.0, math.Log(median)
	for i, b := range Bounds {
		s := survival((math.Log(b) - log) / spread)
		shares[i] = above - s
		above = s
	}
	shares[len(Bounds)] = above
	return survival((math.Log(w.Service.SlowerThan.Seconds()) - log) / spread)
}

// logRatio is that of y errors among n requests, with the rate after against before.
func logRatio(y, n int64, before, after float64) float64 {
	before, r := math.Max(1e-9, math.Min(before, 0.999)), 0.0
	if y > 0 {
		r += float64(y) * math.Log(after/before)
	}
	if n > y {
		r += float64(n-y) * math.Log(math.Max(1e-12, 1-after)/(1-before))
	}
	return r
}
