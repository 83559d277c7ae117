package world

import (
	"math"
	"time"
)

// Scenario is what the new version does to its users.
type Scenario struct {
	Name string
	// ErrorFactor multiplies the error rate and ErrorAdd adds to it.
	ErrorFactor, ErrorAdd float64
	// Tail multiplies the 99th percentile of the latency; the median stays.
	Tail float64
	// Leak slows everything by so much a minute, from LeakAfter on.
	Leak      float64
	LeakAfter time.Duration
	// From the weight Saturates on, SaturatedErrors are added and everything is
	// SaturatedLatency times as slow.
	Saturates, SaturatedErrors, SaturatedLatency float64
	// Material tells that it should never be promoted.
	Material bool
}

// The scenarios of the benchmark.
var (
	AA         = Scenario{Name: "A/A", ErrorFactor: 1, Tail: 1}
	Immaterial = Scenario{Name: "immaterial", ErrorFactor: 1.05, Tail: 1.02}
	Errors15   = Scenario{Name: "errors x1.5", ErrorFactor: 1.5, Tail: 1}
	Errors3    = Scenario{Name: "errors x3", ErrorFactor: 3, Tail: 1}
	Errors05pp = Scenario{Name: "errors +0.5pp", ErrorFactor: 1, ErrorAdd: 0.005, Tail: 1, Material: true}
	Errors5pp  = Scenario{Name: "errors +5pp", ErrorFactor: 1, ErrorAdd: 0.05, Tail: 1, Material: true}
	Errors100  = Scenario{Name: "errors 100%", ErrorFactor: 1, ErrorAdd: 1, Tail: 1, Material: true}
	Tail20     = Scenario{Name: "p99 +20%", ErrorFactor: 1, Tail: 1.2, Material: true}
	Tail100    = Scenario{Name: "p99 +100%", ErrorFactor: 1, Tail: 2, Material: true}
	Leak       = Scenario{Name: "leak after 20m", ErrorFactor: 1, Tail: 1, Leak: 0.04, LeakAfter: 20 * time.Minute, Material: true}
	Saturation = Scenario{
		Name: "saturation at 50%", ErrorFactor: 1, Tail: 1,
		Saturates: 0.5, SaturatedErrors: 0.03, SaturatedLatency: 1.5, Material: true,
	}
	Faults = []Scenario{Errors15, Errors3, Errors05pp, Errors5pp, Errors100, Tail20, Tail100, Leak, Saturation}
)

// effect is what a scenario does at one moment.
type effect struct {
	factor, add float64 // of the error rate
	scale       float64 // of all latencies
	spread      float64 // the standard deviation of the log latency
}

const normal99 = 2.3263 // the 99th percentile of the normal distribution

// at is the effect of a canary that is so old and has so much weight.
func (s *Scenario) at(age, weight, spread float64) effect {
	e := effect{factor: s.ErrorFactor, add: s.ErrorAdd, scale: 1, spread: spread}
	if s.Tail != 1 {
		e.spread += math.Log(s.Tail) / normal99
	}
	if late := age - s.LeakAfter.Seconds(); s.Leak > 0 && late > 0 {
		e.scale *= 1 + s.Leak*late/60
	}
	if s.Saturates > 0 && weight >= s.Saturates-1e-9 {
		e.add += s.SaturatedErrors
		e.scale *= s.SaturatedLatency
	}
	return e
}

func (e effect) errors(p float64) float64 { return math.Min(1, p*e.factor+e.add) }

// Above is the share of requests that take longer than bound seconds, without the
// fault and with it, where nothing else disturbs. It knows only faults that are there
// from the start.
func (s *Scenario) Above(service Service, bound float64) (before, after float64) {
	z := math.Log(bound / service.Median.Seconds())
	return survival(z / service.Spread), survival(z / s.at(0, 0, service.Spread).spread)
}
