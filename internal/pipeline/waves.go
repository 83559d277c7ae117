package pipeline

import (
	"cmp"
	"slices"
)

// Leg says of an entry of a plan that it is one region's or one service's part of an
// environment with several: which environment, and when its turn is among the others.
type Leg struct {
	Environment string `json:"environment"`
	// Wave counts from 1. Wave 0 is what is done once before the first: approvals and the like.
	Wave int `json:"wave"`
	// Step is the place of the entry's service among those of the wave, from 1; 0 where there
	// is only one.
	Step int `json:"step,omitempty"`
	// Bake is how long the wave before must have run everywhere.
	Bake Duration `json:"bake,omitempty"`
	// TakeBack says what happens to earlier waves when this leg fails.
	TakeBack TakeBack `json:"takeBack"`
	// ExpectedRate is the region's part of the traffic to plan with, in requests per second; 0 if not told.
	ExpectedRate float64 `json:"expectedRate,omitempty"`
}

// TakeBack is what happens to the waves before the one that failed.
type TakeBack string

// Whether earlier waves go back too.
const (
	TakeBackAll  TakeBack = "all"
	TakeBackWave TakeBack = "wave"
	TakeBackAsk  TakeBack = "ask"
)

// LegName is the name of a region's entry: "production/eu-west-1".
func LegName(environment, region string) string { return environment + "/" + region }

// In is the name of the environment: the entry's own, or that of which it is a leg.
func (e *Environment) In() string {
	if e.Leg != nil {
		return e.Leg.Environment
	}
	return e.Name
}

// Wave is the wave of a leg, else 0.
func (e *Environment) Wave() int {
	if e.Leg != nil {
		return e.Leg.Wave
	}
	return 0
}

// Entries returns the indexes of the entries that a person means by a name: one entry, all of
// an environment with several, or those of all services in a region, which belong together.
func (p *Plan) Entries(name string) []int {
	var all []int
	place := placeIn(name)
	if place != name && !slices.ContainsFunc(p.Environments, func(e Environment) bool { return e.Name == name }) {
		return nil // there is no such service
	}
	for i := range p.Environments {
		e := &p.Environments[i]
		switch {
		case e.Leg != nil && e.Leg.Environment == name, e.Service != "" && e.Place() == place:
			all = append(all, i)
		case e.Name == name:
			return []int{i}
		}
	}
	return all
}

// Places returns the entries of that name that have a target: one, or those of an environment's
// regions.
func (p *Plan) Places(name string) []*Environment {
	var all []*Environment
	for _, i := range p.Entries(name) {
		if e := &p.Environments[i]; e.Leg == nil || e.Leg.Wave > 0 {
			all = append(all, e)
		}
	}
	return all
}

// Rate is the traffic to plan with in the entry, in requests per second; 0 if not told.
func (p *Plan) Rate(e *Environment) float64 {
	whole := p.ExpectedRate
	if c := p.ComponentOf(e); c != &p.Component {
		whole = c.ExpectedRate
	}
	if e.Leg != nil {
		return cmp.Or(e.Leg.ExpectedRate, whole)
	}
	return whole
}

// StateOf is the state of an environment as a whole: of its only entry, or what those of
// its regions come to.
func (r *Run) StateOf(environment string) EnvironmentState {
	var states []EnvironmentState
	all := r.Plan.Entries(environment)
	for _, i := range all {
		state := r.Environments[i].State
		if len(all) > 1 && r.Plan.Environments[i].Wave() == 0 && state == EnvironmentSucceeded {
			continue // what is done before the first wave is not where the release is
		}
		states = append(states, state)
	}
	return joint(states)
}

// joint is what several states come to: who moves counts first, then who waits, then how
// it ended where it ended worst.
func joint(states []EnvironmentState) EnvironmentState {
	has := func(s EnvironmentState) bool { return slices.Contains(states, s) }
	ended := has(EnvironmentSucceeded) || has(EnvironmentSkipped)
	for _, s := range []EnvironmentState{EnvironmentRollingBack, EnvironmentRunning} {
		if has(s) {
			return s
		}
	}
	if has(EnvironmentPending) {
		if ended {
			return EnvironmentRunning
		}
		return EnvironmentPending
	}
	for _, s := range []EnvironmentState{EnvironmentRolledBack, EnvironmentFailed, EnvironmentCancelled, EnvironmentSucceeded} {
		if has(s) {
			return s
		}
	}
	return EnvironmentSkipped
}
