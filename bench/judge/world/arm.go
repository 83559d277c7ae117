package world

import "math"

// Counts are what one arm did.
type Counts struct {
	Requests, Errors int64
	// Latency counts all requests by how long they took; Warm those of instances
	// that are older than the warm-up.
	Latency, Warm [buckets]int64
}

func (c *Counts) add(o *Counts) {
	c.Requests += o.Requests
	c.Errors += o.Errors
	for i := range c.Latency {
		c.Latency[i] += o.Latency[i]
		c.Warm[i] += o.Warm[i]
	}
}

// cohort is instances that started together; those that have long been there are one.
type cohort struct {
	instances int
	born      float64
}

// arm is the instances of one version and their noise.
type arm struct {
	noise, counts *generator
	// errors is the passing noise of each instance, latency that of their mean.
	errors  []process
	latency process
	// lasting are the differences of each instance that stay, as logarithms.
	lastingErrors, lastingLatency []float64
	bursts                        []float64 // when each instance's burst ends
	// factors are how many times the usual errors each instance has in this tick.
	factors []float64
	cohorts []cohort
	first   float64 // when the first instance started
}

// coldFor is after how many times Cold nothing is left of it.
const coldFor = 6

func newArm(n *Noise, instances int, noise, counts *generator) *arm {
	a := &arm{noise: noise, counts: counts, first: math.Inf(1)}
	a.latency.value = noise.NormFloat64()
	a.bursts, a.factors = make([]float64, instances), make([]float64, instances)
	for range instances {
		a.errors = append(a.errors, process{noise.NormFloat64()})
		a.lastingErrors = append(a.lastingErrors, n.LastingErrors*noise.NormFloat64())
		a.lastingLatency = append(a.lastingLatency, n.LastingLatency*noise.NormFloat64())
	}
	return a
}

func (a *arm) instances() int {
	n := 0
	for _, c := range a.cohorts {
		n += c.instances
	}
	return n
}

// warm are those that started at least so many seconds ago.
func (a *arm) warm(now, seconds float64) int {
	n := 0
	for _, c := range a.cohorts {
		if now-c.born >= seconds {
			n += c.instances
		}
	}
	return n
}

// youngest is how old the youngest instance is, in seconds; 0 where there is none.
func (a *arm) youngest(now float64) float64 {
	if len(a.cohorts) == 0 {
		return 0
	}
	return math.Max(0, now-a.cohorts[len(a.cohorts)-1].born)
}

// grow starts instances until there are n. An arm never shrinks.
func (a *arm) grow(n int, now float64) {
	n = min(n, len(a.lastingErrors))
	if more := n - a.instances(); more > 0 {
		a.first = math.Min(a.first, now)
		a.cohorts = append(a.cohorts, cohort{more, now})
	}
}

// settle joins the oldest cohorts once nothing tells them apart.
func (a *arm) settle(now float64, s *Service) {
	old := now - math.Max(coldFor*s.Cold.Seconds(), s.WarmUp.Seconds())
	for len(a.cohorts) > 1 && a.cohorts[0].born <= old && a.cohorts[1].born <= old {
		a.cohorts[1].instances += a.cohorts[0].instances
		a.cohorts = a.cohorts[1:]
	}
}

// restart makes one of the oldest instances a new one.
func (a *arm) restart(now float64) {
	if len(a.cohorts) == 0 {
		return
	}
	a.cohorts[0].instances--
	if a.cohorts[0].instances == 0 {
		a.cohorts = a.cohorts[1:]
	}
	a.cohorts = append(a.cohorts, cohort{1, now})
}

// weather is the noise of one tick: a factor of the error rate, and what is added to
// the log latency.
type weather struct{ errors, latency float64 }

// blow moves the arm's own noise on by a tick and says what it is now.
func (a *arm) blow(n *Noise, now float64) weather {
	k := max(1, a.instances())
	var w weather
	w.latency = n.InstanceLatency / math.Sqrt(float64(k)) * a.latency.step(a.noise, tick, instanceMemory)
	bursting := a.burst(n, k, now)
	w.latency += float64(bursting) / float64(k) * math.Log(math.Max(1, n.BurstLatency))
	for i := range k {
		f := math.Exp(a.lastingErrors[i])
		if n.InstanceErrors > 0 {
			f *= lognormal(n.InstanceErrors, a.errors[i].step(a.noise, tick, instanceMemory))
		}
		f *= a.noise.gamma(n.TickErrors * n.TickErrors)
		if a.bursts[i] > now {
			f *= n.BurstErrors
		}
		a.factors[i] = f
		w.errors += f / float64(k)
		w.latency += a.lastingLatency[i] / float64(k)
	}
	return w
}

// burst lets bursts begin, and counts the instances that have one.
func (a *arm) burst(n *Noise, instances int, now float64) int {
	if n.BurstEvery == 0 {
		return 0
	}
	for range a.noise.poisson(float64(instances) * tick / n.BurstEvery.Seconds()) {
		i := a.noise.IntN(instances)
		a.bursts[i] = math.Max(a.bursts[i], now+a.noise.ExpFloat64()*n.BurstFor.Seconds())
	}
	count := 0
	for _, end := range a.bursts[:instances] {
		if end > now {
			count++
		}
	}
	return count
}
