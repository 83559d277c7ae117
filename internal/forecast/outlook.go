package forecast

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Level is one stretch of a judged stage: a weight, how long it lasts at least, and
// what the judge sees in that time.
type Level struct {
	// Environment is the entry of the plan; of the regions of an environment that are alike
	// the first stands for all. Rate is its part of the traffic, in requests per second.
	Environment string        `json:"environment"`
	Rate        float64       `json:"rate"`
	Stage       string        `json:"stage"`
	Weight      float64       `json:"weight"`
	For         time.Duration `json:"for"`
	Sight       judge.Sight   `json:"sight"`
}

// Outlook is what a plan will see.
type Outlook struct {
	// Rate is the traffic that was assumed, in requests per second; 0 if none was given.
	Rate   float64 `json:"rate"`
	Levels []Level `json:"levels,omitempty"`
	// Warnings say where the plan is too coarse, or cannot be forecast.
	Warnings []string `json:"warnings,omitempty"`
}

// coarseFactor is how many times larger than the margin the smallest visible
// regression may be before people are warned.
const coarseFactor = 3

// Of computes the outlook of a plan. It takes some tens of milliseconds per level.
func Of(p *pipeline.Plan) Outlook {
	o := Outlook{Rate: p.ExpectedRate}
	before := map[[2]string]*pipeline.Environment{} // the last entry of a service in an environment
	var unknown []string                            // services
	for i := range p.Environments {
		e := &p.Environments[i]
		in := [2]string{e.In(), e.Service}
		last := before[in]
		before[in] = e
		if last != nil && alike(last, e) {
			continue
		}
		for j := range e.Stages {
			judged := e.Stages[j].Canary != nil || e.Stages[j].Watch != nil
			if service := p.ServiceOf(e); judged && p.Rate(e) <= 0 && !slices.Contains(unknown, service) {
				unknown = append(unknown, service)
			}
			if e.Stages[j].Canary != nil {
				o.sayByPods(e, &e.Stages[j])
			}
			if p.Rate(e) > 0 {
				o.stage(p, e, &e.Stages[j])
			}
		}
	}
	for _, service := range unknown {
		of := ""
		if len(p.With) > 0 {
			of = " of " + service
		}
		o.warn("the expected traffic%s is not known, so nothing can be said about what the canary sees; add `expect: {rate: 200/s}`", of)
	}
	return o
}

// alike tells whether two entries are regions of one environment of which the same is seen.
func alike(a, b *pipeline.Environment) bool {
	return a.Wave() > 0 && b.Wave() > 0 && a.In() == b.In() && a.Service == b.Service && said(a) == said(b) && byPods(a) == byPods(b)
}

func (o *Outlook) warn(format string, args ...any) {
	o.Warnings = append(o.Warnings, fmt.Sprintf(format, args...))
}

func (o *Outlook) stage(p *pipeline.Plan, e *pipeline.Environment, s *pipeline.Stage) {
	share := e.FalseAlarm(s.Kind)
	all, possible, rate := instances(e), sharesByPods(e), p.Rate(e)
	add := func(set judge.Settings, weight float64, canary int, d time.Duration) judge.Sight {
		sight := judge.SmallestRegression(set, judge.Calibrate(judge.History{}, set, rate, 1), judge.Step{
			Rate: rate, Weight: weight, Errors: p.Errors(e), Canary: canary, Stable: all, For: d,
		})
		o.Levels = append(o.Levels, Level{Environment: e.Name, Rate: rate, Stage: s.Name, Weight: weight, For: d, Sight: sight})
		return sight
	}
	switch {
	case s.Canary != nil:
		set := CanarySettings(s.Canary, share).Among(possible)
		for _, l := range levels(set, rate, possible) {
			add(set, l.weight, canaries(s.Canary, l.weight, all), l.d)
		}
		o.judgeCanary(e, s, set, rate, add(set, set.Middle, canaries(s.Canary, set.Middle, all), set.Observation))
	case s.Watch != nil:
		set := WatchSettings(s.Watch, share)
		add(set, possible.AtMost(1-s.Watch.Holdback), all, set.Watch)
	}
}

// judgeCanary warns where even the whole observation is too coarse for the margin.
func (o *Outlook) judgeCanary(e *pipeline.Environment, s *pipeline.Stage, set judge.Settings, expected float64, best judge.Sight) {
	where := s.Name + " in " + e.Name
	margin := set.Errors.Promotion.Add
	switch {
	case best.Errors == 0:
		o.warn("%s: at %s of traffic not even a total failure would be seen; use a longer observation", where, rate(expected))
	case best.Errors > coarseFactor*margin && best.Errors > 0.005:
		o.warn("%s: only a rise of the error rate by %.2g percentage points or more is seen within %s; the margin is %.2g. Use more traffic or a longer observation, or expect releases to be held for a person",
			where, 100*best.Errors, set.Observation, 100*margin)
	}
	for _, w := range set.Warnings() {
		o.warn("%s: %s", where, w)
	}
}

func rate(r float64) string { return fmt.Sprintf("%.3g/s", r) }

type level struct {
	weight float64
	d      time.Duration
}

// levels are the weights of a canary of a healthy release: each grows by the factor
// after the least time between two steps, up to the middle level. Where only some weights
// are possible it waits at one of them until the next is allowed.
func levels(set judge.Settings, rate float64, possible judge.Shares) []level {
	var all []level
	for w := set.FirstWeight(rate); w < set.Middle*(1-1e-9); w = math.Min(w*set.Growth.Factor, set.Middle) {
		given := possible.AtMost(w)
		if given == 0 {
			given = possible[0]
		}
		every := max(set.Growth.Every, time.Second)
		if n := len(all); n > 0 && all[n-1].weight == given {
			all[n-1].d += every
		} else if given < set.Middle*(1-1e-9) {
			all = append(all, level{given, every})
		}
	}
	return append(all, level{set.Middle, max(set.Dwell, set.Block)})
}

// canaries is how many instances bear the weight, as the executor says.
func canaries(c *pipeline.Canary, weight float64, all int) int {
	if c.Instances == 0 {
		return all
	}
	return max(min(c.Instances, all), int(math.Ceil(weight*float64(all))))
}

func instances(e *pipeline.Environment) int { return max(said(e), 1) }

// said is how many instances the plan says there are; 0 if it leaves that open.
func said(e *pipeline.Environment) int {
	var s struct {
		Instances int `json:"instances"`
	}
	_ = json.Unmarshal(e.Settings, &s) // the platform reports settings that it cannot read
	return s.Instances
}
