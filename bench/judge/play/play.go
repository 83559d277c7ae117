// Package play lets a player lead releases through the simulated world, and keeps
// what came of it. A player is whatever decides about a canary: Fairway's judge with
// its weights, the rule of another tool, an oracle.
package play

import (
	"math"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
)

// Player leads one release. It is used for one run only.
type Player interface {
	// Begin says how the canary starts. It may ask the world for its past.
	Begin(w *world.World) Move
	// Look is told what each scrape read, and decides. A reading lives until the next.
	Look(r *world.Reading) Move
}

// Move is what a player decides. It takes effect one tick later.
type Move struct {
	Weight    float64
	Instances int
	Status    Status
	// Reason says in a word or two why a release was taken back.
	Reason string
}

// Status is where a release is.
type Status int

// A release is under way, passed (nearly all the traffic, still judged), promoted
// (finally), taken back, or waits for a person.
const (
	UnderWay Status = iota
	Waiting
	Passed
	Promoted
	TakenBack
)

// Rules of a run.
type Rules struct {
	// Scrape is the time between two readings, Length that of the run.
	Scrape, Length time.Duration
	// Endless lets a player go on after it has promoted, with what it then does. For
	// false alarms: each look counts.
	Endless bool
}

// Result is what came of one release. Times are in seconds; +Inf is never.
type Result struct {
	TakenBack bool
	// Back is when the traffic was back on the stable version.
	Back float64
	// Passed is when the player called the new version no worse; To50, To95 and To100 are
	// when it got half of the traffic, nearly all, and all.
	Passed, To50, To95, To100 float64
	// Waiting tells that it was waiting for a person at the end.
	Waiting bool
	// Harm is how many bad requests the fault made.
	Harm   float64
	Reason string
}

// Run plays one release.
func Run(w *world.World, p Player, rules Rules) Result {
	never := math.Inf(1)
	r := Result{Back: never, Passed: never, To50: never, To95: never, To100: never}
	monitor := w.Monitor(rules.Scrape)
	inForce := p.Begin(w)
	decided := inForce
	for w.Now() < rules.Length {
		done := w.Step(inForce.Weight, inForce.Instances)
		r.Harm += done.Harm
		inForce = decided
		r.note(inForce, w.Now())
		if r.TakenBack {
			return r
		}
		if r.over(rules) {
			if w.Scenario == world.AA {
				return r // it can do no harm
			}
			inForce.Weight = 1
			decided = inForce
			continue
		}
		monitor.Add(done)
		if monitor.Due(w.Now()) {
			reading := monitor.Read(w.Now(), inForce.Weight)
			decided = p.Look(&reading)
		}
	}
	r.Waiting = decided.Status == Waiting
	return r
}

// note keeps when a move came into force.
func (r *Result) note(m Move, now time.Duration) {
	at := now.Seconds()
	if m.Weight >= 0.5-1e-9 {
		r.To50 = math.Min(r.To50, at)
	}
	if m.Weight >= 0.95-1e-9 {
		r.To95 = math.Min(r.To95, at)
	}
	switch m.Status {
	case TakenBack:
		r.TakenBack, r.Back, r.Reason = true, at, m.Reason
	case Promoted:
		r.Passed, r.To95, r.To100 = math.Min(r.Passed, at), math.Min(r.To95, at), math.Min(r.To100, at)
	case Passed:
		r.Passed = math.Min(r.Passed, at)
	}
}

// over tells whether the player has no more to say.
func (r *Result) over(rules Rules) bool { return !math.IsInf(r.To100, 1) && !rules.Endless }
