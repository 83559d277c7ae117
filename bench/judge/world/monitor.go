package world

import (
	"strconv"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// Monitor reads the world as a metrics store would: at scrapes.
type Monitor struct {
	world    *World
	interval time.Duration
	scrapes  *generator
	gapEnds  time.Duration
	lastGood float64 // seconds
	pending  Reading
}

// Reading is what a scrape shows: increments since the last good one.
type Reading struct {
	// At is the time since the release began.
	At time.Duration
	// Lost tells that the scrape failed in one arm or both; the counts then come
	// with the next good one.
	Lost           bool
	Stable, Canary Counts
	// CanaryErrors are the canary's errors by instance, where LookAtInstances asked.
	CanaryErrors []int64
	// Instances and Warm are how many there are, and are older than the warm-up.
	StableInstances, StableWarm, CanaryInstances, CanaryWarm int
	// ColdAge is how old the canary's youngest instance was when the counts began, in seconds.
	ColdAge float64
	// Weight is the canary's share of the traffic in force.
	Weight float64
	// LogRatio is the oracle's, since the last reading (lost or not).
	LogRatio float64
}

// Monitor scrapes the world so often; the interval is a multiple of the tick.
func (w *World) Monitor(interval time.Duration) *Monitor {
	return &Monitor{world: w, interval: interval, scrapes: newGenerator(w.seed, ofScrapes)}
}

// Add takes in what happened in one tick.
func (m *Monitor) Add(d *Done) {
	m.pending.Stable.add(&d.Stable)
	m.pending.Canary.add(&d.Canary)
	m.pending.LogRatio += d.LogRatio
	for i, n := range d.CanaryErrors {
		if i == len(m.pending.CanaryErrors) {
			m.pending.CanaryErrors = append(m.pending.CanaryErrors, 0)
		}
		m.pending.CanaryErrors[i] += n
	}
}

// Due tells whether now is the time of a scrape.
func (m *Monitor) Due(now time.Duration) bool { return now%m.interval == 0 }

// Read scrapes. The weight is the one in force.
func (m *Monitor) Read(now time.Duration, weight float64) Reading {
	w := m.world
	r := m.pending
	r.At, r.Weight, r.Lost = now, weight, m.lost(now)
	warmUp := w.Service.WarmUp.Seconds()
	r.StableInstances, r.StableWarm = w.stable.instances(), w.stable.warm(w.now, warmUp)
	r.CanaryInstances, r.CanaryWarm = w.canary.instances(), w.canary.warm(w.now, warmUp)
	r.ColdAge = w.canary.youngest(m.lastGood)
	if !r.Lost {
		m.lastGood = w.now
	}
	m.pending.LogRatio = 0
	if r.Lost {
		r.Stable, r.Canary, r.CanaryErrors = Counts{}, Counts{}, nil
	} else {
		m.pending.Stable, m.pending.Canary, m.pending.CanaryErrors = Counts{}, Counts{}, nil
	}
	return r
}

func (m *Monitor) lost(now time.Duration) bool {
	n := &m.world.Noise
	if n.GapEvery > 0 && now > m.gapEnds && m.scrapes.Float64() < m.interval.Seconds()/n.GapEvery.Seconds() {
		m.gapEnds = now + time.Duration((60+60*m.scrapes.Float64())*float64(time.Second))
	}
	stable, canary := m.scrapes.Float64() < n.Lost, m.scrapes.Float64() < n.Lost
	return stable || canary || now < m.gapEnds
}

// Sample is the reading as the judge takes it; the release began at start. It shares
// r's memory.
func (r *Reading) Sample(start time.Time) judge.Sample {
	s := judge.Sample{At: start.Add(r.At), Weight: r.Weight}
	if r.Lost {
		s.Missing = "the scrape was lost"
		return s
	}
	s.Stable = arms(&r.Stable, r.StableInstances, r.StableWarm)
	s.Canary = arms(&r.Canary, r.CanaryInstances, r.CanaryWarm)
	cold := make([]int64, buckets)
	for i := range cold {
		cold[i] = r.Canary.Latency[i] - r.Canary.Warm[i]
	}
	s.Canary.Cold, s.Canary.ColdAge = judge.Histogram{Bounds: Bounds, Counts: cold}, r.ColdAge
	if r.CanaryErrors != nil {
		s.Canary.ErrorsBy = []judge.InstanceErrors{}
	}
	for i, n := range r.CanaryErrors {
		if n > 0 {
			s.Canary.ErrorsBy = append(s.Canary.ErrorsBy, judge.InstanceErrors{Instance: strconv.Itoa(i), Errors: n})
		}
	}
	return s
}

func arms(c *Counts, instances, warm int) judge.Arm {
	return judge.Arm{
		Requests: c.Requests, Errors: c.Errors, Instances: instances, WarmInstances: warm,
		Latency: judge.Histogram{Bounds: Bounds, Counts: c.Warm[:]},
	}
}
