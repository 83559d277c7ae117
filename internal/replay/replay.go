// Package replay runs the judge over what was recorded, of a release or of any two
// arms in the past of a metric store, and tells when it would have decided: with the
// settings of then, and with others beside them.
//
// It is pure: who calls it brings the opening of the comparison and the looks.
//
//	r := replay.Record{Opening: opening, Looks: looks}
//	then := r.Run(replay.Variant{Name: "as it was", Settings: opening.Settings})
//	wide, err := replay.Parse("margin.errors=2pp,margin.latency=30%", opening.Settings)
//	also := r.Run(wide)
//
// What it cannot tell: other settings would also have given other weights. A replay
// judges the traffic as it was.
package replay

import (
	"fmt"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// Record is one comparison, of a canary, of a watch, or of a stretch of the past.
type Record struct {
	Opening judge.Opening
	Looks   []Look
}

// Look is one look at both arms.
type Look struct {
	Sample judge.Sample
	// Now is when the verdict was read: the sample's end, or later.
	Now time.Time
	// Evidence is what the judge of then made of it; NaN if none was there.
	Evidence float64
}

// Variant is a set of settings to judge by.
type Variant struct {
	Name     string         `json:"name"`
	Settings judge.Settings `json:"settings"`
}

// Course is how a comparison went by a variant.
type Course struct {
	Variant
	// Turns are the looks at which the verdict became another; the last one is the
	// decision, if there is one. Last is the verdict at the end of the record.
	Turns   []Turn `json:"turns"`
	Decided bool   `json:"decided"`
	Last    Turn   `json:"last"`
	// Threshold is the evidence that takes a release back.
	Threshold float64 `json:"threshold"`
	Steps     []Step  `json:"steps"`
	// Differs says where the evidence of then was another, though the settings are
	// the same; empty where it agrees, or nothing of then is known.
	Differs string `json:"differs,omitempty"`
}

// Turn is a look at which something became different.
type Turn struct {
	// Look counts from 1.
	Look   int           `json:"look"`
	At     time.Time     `json:"at"`
	After  time.Duration `json:"after"`
	Kind   judge.Kind    `json:"kind"`
	Reason judge.Reason  `json:"reason"`
	Said   string        `json:"said"`
	Step
	// Requests and Errors are the canary's until then, Extra the bad requests that
	// it had beyond stable's usual rate, of all metrics the most.
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Extra    float64 `json:"extra"`
}

// Step is where the evidence stands after a look.
type Step struct {
	Seconds  float64 `json:"seconds"`
	Weight   float64 `json:"weight"`
	Evidence float64 `json:"evidence"`
	// Proof is the log evidence of being no worse.
	Proof   float64 `json:"proof"`
	Missing string  `json:"missing,omitempty"`
}

// Decision is the turn at which the judge passed or failed the canary, if it did.
func (c Course) Decision() (Turn, bool) {
	if !c.Decided {
		return Turn{}, false
	}
	return c.Turns[len(c.Turns)-1], true
}

// Run judges the record by the variant. What follows a decision is judged too, for
// the chart, and turns nothing.
func (r Record) Run(v Variant) Course {
	o := r.Opening
	o.Settings = v.Settings
	j := o.Judge()
	c := Course{Variant: v, Threshold: 1 / v.Settings.FalseAlarm, Turns: []Turn{}, Steps: []Step{}}
	tally := counted{}
	for i, look := range r.Looks {
		j.Observe(look.Sample)
		tally.add(look.Sample)
		d := j.Decide(look.Now)
		step := Step{
			Seconds: look.Now.Sub(o.Start).Seconds(), Weight: look.Sample.Weight,
			Evidence: math.Min(d.Evidence, math.MaxFloat64), Proof: d.Proof, Missing: look.Sample.Missing,
		}
		c.Steps = append(c.Steps, step)
		if c.Differs == "" && v.Settings.Equal(r.Opening.Settings) && !same(look.Evidence, j.Evidence()) {
			c.Differs = fmt.Sprintf("at look %d (%s) the evidence was %.6g then, and is %.6g now",
				i+1, look.Sample.At.UTC().Format(time.DateTime), look.Evidence, j.Evidence())
		}
		changed := i == 0 || d.Kind != c.Last.Kind || d.Reason != c.Last.Reason
		if changed || i == len(r.Looks)-1 {
			c.Last = turn(i, look, j.Verdict(look.Now), step, tally)
		}
		if changed && !c.Decided {
			c.Turns = append(c.Turns, c.Last)
			c.Decided = d.Kind != judge.Hold
		}
	}
	return c
}

// same tells whether the evidence of then and now agree to the last digits; machines
// of different kinds may differ there.
func same(then, now float64) bool {
	return math.IsNaN(then) || math.Abs(then-now) <= 1e-9*math.Max(math.Abs(then), math.Abs(now))
}

func turn(i int, look Look, v judge.Verdict, step Step, c counted) Turn {
	t := Turn{
		Look: i + 1, At: look.Now, After: time.Duration(step.Seconds * float64(time.Second)).Round(time.Millisecond),
		Kind: v.Kind, Reason: v.Reason, Said: v.Sentence(), Step: step, Requests: c.requests, Errors: c.errors,
	}
	for _, m := range v.Metrics {
		if m.Kind == "" { // a custom metric counts no requests
			t.Extra = math.Max(t.Extra, m.Extra)
		}
	}
	return t
}

// counted is what the canary did so far.
type counted struct{ requests, errors int64 }

func (c *counted) add(s judge.Sample) {
	if s.Missing == "" {
		c.requests += s.Canary.Requests
		c.errors += s.Canary.Errors
	}
}

// Thin keeps about n steps, in each stretch that with the most evidence, so that a
// peak is never lost.
func Thin(steps []Step, n int) []Step {
	if n < 1 || len(steps) <= n {
		return steps
	}
	kept := make([]Step, 0, n)
	for i := range n {
		part := steps[i*len(steps)/n : (i+1)*len(steps)/n]
		top := part[0]
		for _, s := range part[1:] {
			if s.Evidence > top.Evidence {
				top = s
			}
		}
		kept = append(kept, top)
	}
	return kept
}
