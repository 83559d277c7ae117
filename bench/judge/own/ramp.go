package own

import (
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/judge"
)

// Ramp is Fairway's weight schedule alone, under a judge that never suspects
// anything: from the first weight as fast as the exposure budget allows to the middle
// level. Other rules play on it, so that the schedule's part in a result can be told
// from the judge's.
type Ramp struct {
	plan   *Plan
	all    int
	sizing *judge.Sizing
	middle time.Duration // when the middle level was reached; 0 before
}

// NewRamp begins at the first weight.
func (p *Plan) NewRamp(s world.Service) *Ramp {
	c := judge.Calibrate(judge.History{}, p.canary, p.rate, calibrationSeed)
	c.Errors.Rate = s.Errors
	return &Ramp{plan: p, all: s.Instances, sizing: judge.NewSizing(p.canary, c, p.start)}
}

// Weight is the weight in force, Instances what bears it.
func (r *Ramp) Weight() (weight float64, instances int) {
	return r.sizing.Weight, r.plan.capacity(r.sizing.Weight, r.all)
}

// Grow folds a reading. passed tells that the middle level has lasted for its dwell.
func (r *Ramp) Grow(reading *world.Reading) (passed bool) {
	v := judge.Verdict{Kind: judge.Hold, Reason: judge.Collecting}
	if reading.Lost {
		v.Reason = judge.NoEvidence
	}
	sample := reading.Sample(r.plan.start)
	r.sizing.Observe(sample)
	r.sizing.Next(sample.At, v)
	if r.sizing.Weight < r.plan.canary.Middle {
		return false
	}
	if r.middle == 0 {
		r.middle = reading.At
	}
	return reading.At-r.middle >= r.plan.canary.Dwell
}
