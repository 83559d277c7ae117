package world

import (
	"math"
	"time"
)

// Noise is how a service behaves where nothing is wrong with the release. Standard
// deviations are of logarithms.
type Noise struct {
	Name string
	// SharedErrors and SharedLatency change within ten minutes and hit both arms.
	SharedErrors, SharedLatency float64
	// InstanceErrors and InstanceLatency change within a minute, in each instance by itself.
	InstanceErrors, InstanceLatency float64
	// TickErrors is the coefficient of variation of an instance's error rate from tick to tick.
	TickErrors float64
	// LastingErrors and LastingLatency are differences between instances that stay.
	LastingErrors, LastingLatency float64
	// A burst multiplies one instance's errors and latency; Every is the mean time
	// between two in one instance, For their mean length.
	BurstEvery, BurstFor        time.Duration
	BurstErrors, BurstLatency   float64
	Incident                    float64 // the chance of an incident that hits both arms
	IncidentErrors, IncidentLat float64
	// Daily is the amplitude of the day's traffic, Traffic what it changes within five minutes.
	Daily, Traffic float64
	// Lost is the chance that a scrape of one arm is lost; GapEvery the mean time
	// between gaps of one to two minutes, RestartEvery between restarts in each arm.
	Lost                   float64
	GapEvery, RestartEvery time.Duration
}

// The levels of noise. Real is what the benchmark's bars are about, Harsh a service
// in which each instance has a burst of fifteen times its errors every quarter of an hour.
var (
	IID  = Noise{Name: "iid"}
	Mild = Noise{
		Name: "mild", SharedErrors: 0.15, SharedLatency: 0.03, InstanceErrors: 0.2, InstanceLatency: 0.02,
		TickErrors: 0.3, LastingErrors: 0.05, LastingLatency: 0.015, Daily: 0.4, Traffic: 0.1,
		Lost: 0.01, GapEvery: 2 * time.Hour, RestartEvery: 2 * time.Hour,
	}
	Real = Noise{
		Name: "real", SharedErrors: 0.25, SharedLatency: 0.05, InstanceErrors: 0.35, InstanceLatency: 0.04,
		TickErrors: 0.5, LastingErrors: 0.10, LastingLatency: 0.03,
		BurstEvery: 30 * time.Minute, BurstFor: 45 * time.Second, BurstErrors: 8, BurstLatency: 1.5,
		Incident: 0.3, IncidentErrors: 10, IncidentLat: 1.4, Daily: 0.4, Traffic: 0.15,
		Lost: 0.01, GapEvery: time.Hour, RestartEvery: 2 * time.Hour,
	}
	Harsh = Noise{
		Name: "harsh", SharedErrors: 0.4, SharedLatency: 0.08, InstanceErrors: 0.6, InstanceLatency: 0.07,
		TickErrors: 1, LastingErrors: 0.2, LastingLatency: 0.05,
		BurstEvery: 15 * time.Minute, BurstFor: time.Minute, BurstErrors: 15, BurstLatency: 2,
		Incident: 0.6, IncidentErrors: 15, IncidentLat: 1.8, Daily: 0.5, Traffic: 0.25,
		Lost: 0.03, GapEvery: 30 * time.Minute, RestartEvery: time.Hour,
	}
	Noises = []Noise{IID, Mild, Real, Harsh}
)

// The memories of the noise, in seconds.
const (
	sharedMemory   = 600.0
	instanceMemory = 60.0
	trafficMemory  = 300.0
)

// process is a stationary Gaussian process of unit variance whose correlation falls
// by 1/e within its memory: AR(1).
type process struct{ value float64 }

func (p *process) step(g *generator, seconds, memory float64) float64 {
	keep := math.Exp(-seconds / memory)
	p.value = keep*p.value + math.Sqrt(1-keep*keep)*g.NormFloat64()
	return p.value
}

// lognormal is a factor with mean 1 and the given standard deviation of its logarithm.
func lognormal(sd, x float64) float64 { return math.Exp(sd*x - sd*sd/2) }
