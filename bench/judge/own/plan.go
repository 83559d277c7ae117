// Package own plays Fairway's own judge and weights, with the settings that a plan
// gives them and in the order in which the canary and the watch executors call them.
package own

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Plan is what a release of a service goes through.
type Plan struct {
	canary, watch judge.Settings
	// minimumAge is how old the revision must be at the end of the watch.
	minimumAge time.Duration
	holdback   float64
	instances  int // of the canary at first; 0 leaves it to the capacity
	rate       float64
	start      time.Time
}

// definition is what a team writes that knows its traffic and its promise, and leaves
// all else to the defaults.
const definition = `service: shop
expect: {rate: %g/s}
host: {run: ./shop, listen: "127.0.0.1:8080", instances: %d}
environments:
  - name: production
    stages:
      - canary: {slo: %g%%, slowerThan: %s}
      - watch
`

// PlanFor compiles the plan of a service. settings, if not empty, is JSON of what to
// change in the judge's settings beyond what a definition can say; it is there for
// experiments.
func PlanFor(s world.Service, settings string) (*Plan, error) {
	def, faults := pipeline.Parse("fairway.yaml", fmt.Appendf(nil, definition, s.Rate, s.Instances, 100*s.SLO, s.SlowerThan))
	if len(faults) > 0 {
		return nil, fmt.Errorf("the definition of %s: %w", s.Name, faults)
	}
	plan, err := pipeline.Compile(def, pipeline.Request{Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64)})
	if err != nil {
		return nil, fmt.Errorf("the plan of %s: %w", s.Name, err)
	}
	p := &Plan{rate: plan.ExpectedRate, start: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	e := &plan.Environments[0]
	for i := range e.Stages {
		if c := e.Stages[i].Canary; c != nil {
			p.canary = forecast.CanarySettings(c, e.FalseAlarm(pipeline.KindCanary))
			p.holdback, p.instances = c.Holdback, c.Instances
		}
		if w := e.Stages[i].Watch; w != nil {
			p.watch = forecast.WatchSettings(w, e.FalseAlarm(pipeline.KindWatch))
			p.minimumAge = w.MinimumAge.Std()
		}
	}
	if settings == "" {
		return p, nil
	}
	for _, set := range []*judge.Settings{&p.canary, &p.watch} {
		watch := set.Watch
		if err := json.Unmarshal([]byte(settings), set); err != nil {
			return nil, fmt.Errorf("the settings to change: %w", err)
		}
		set.Watch = watch
		if err := set.Validate(); err != nil {
			return nil, fmt.Errorf("the settings to change: %w", err)
		}
	}
	return p, nil
}

// historyMinutes is how much of the past the executors ask for.
const historyMinutes = 120

// calibrationSeed is the executors'.
const calibrationSeed = 1

// Calibrate learns from the service's past, as the executors do.
func (p *Plan) Calibrate(w *world.World) judge.Calibration {
	c := judge.Calibrate(w.History(historyMinutes), p.canary, p.rate, calibrationSeed)
	c.ColdStart = stage.Learn(p.earlier(w)).ColdStart
	return c
}

// earlier are the first samples of earlier releases of the same service, which went well.
func (p *Plan) earlier(w *world.World) [][]stage.Point {
	releases := make([][]stage.Point, stage.ExperienceReleases)
	for i := range releases {
		past := world.New(w.Service, w.Noise, world.AA, w.Seed()+uint64(i)+1)
		ramp, m := p.NewRamp(w.Service), past.Monitor(15*time.Second)
		for past.Now() < w.Service.WarmUp+15*time.Second {
			weight, instances := ramp.Weight()
			m.Add(past.Step(weight, instances))
			if m.Due(past.Now()) {
				r := m.Read(past.Now(), weight)
				releases[i] = append(releases[i], stage.Point{Sample: r.Sample(p.start)})
				ramp.Grow(&r)
			}
		}
	}
	return releases
}

// capacity is how many instances bear the weight, as the canary's executor says.
func (p *Plan) capacity(weight float64, all int) int {
	least := all
	if p.instances > 0 {
		least = min(p.instances, all)
	}
	return max(least, ceil(weight*float64(all)))
}

func ceil(x float64) int {
	n := int(x)
	if float64(n) < x {
		n++
	}
	return n
}
