package own

import (
	"math"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/judge"
)

// highest plays a canary for so long, whatever the judge says, on Fairway's own
// weights, and returns the most evidence of harm that any look saw.
func (p *Plan) highest(w *world.World, scrape, length time.Duration) float64 {
	calibration := p.Calibrate(w)
	j, sizing := judge.New(p.canary, calibration, p.start), judge.NewSizing(p.canary, calibration, p.start)
	monitor, top := w.Monitor(scrape), 0.0
	for w.Now() < length {
		monitor.Add(w.Step(sizing.Weight, w.Service.Instances))
		if !monitor.Due(w.Now()) {
			continue
		}
		reading := monitor.Read(w.Now(), sizing.Weight)
		sample := reading.Sample(p.start)
		j.Observe(sample)
		sizing.Observe(sample)
		top = math.Max(top, j.Evidence())
		if v := j.Decide(sample.At); v.Kind == judge.Hold {
			sizing.Next(sample.At, v)
		}
	}
	return top
}

// mostByChance is the largest count that one test in a thousand of a true chance p
// exceeds, about.
func mostByChance(runs int, p float64) int {
	mean := float64(runs) * p
	return int(math.Ceil(mean + 3.1*math.Sqrt(mean*(1-p)) + 1))
}

// tolerated is as bad as a canary may be without being called worse.
var tolerated = world.Scenario{Name: "at the tolerance", ErrorFactor: 1.05, ErrorAdd: 0.0001, Tail: 1.03}

// While the canary is not worse than tolerated its evidence of harm does on average not
// grow, so that it ever reaches x has a probability of at most 1/x (Ville), at however
// many looks. Harsh noise is heavier than what the law of a block assumes, and is only
// reported.
func TestTheEvidenceOfATolerableCanaryRarelyGetsHigh(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 8
	}
	services := []world.Service{world.Services[1], world.Services[2]}
	levels := []float64{5, 20, 200}
	for _, n := range world.Noises {
		t.Run(n.Name, func(t *testing.T) {
			t.Parallel()
			reached := make([]int, len(levels))
			for _, s := range services {
				p, err := PlanFor(s, "")
				if err != nil {
					t.Fatal(err)
				}
				for seed := range uint64(runs) {
					top := p.highest(world.New(s, n, tolerated, seed), 15*time.Second, 45*time.Minute)
					for i, x := range levels {
						if top >= x {
							reached[i]++
						}
					}
				}
			}
			all := runs * len(services)
			for i, x := range levels {
				most := mostByChance(all, 1/x)
				t.Logf("E ≥ %g in %d of %d releases; up to %d fit a chance of 1/%g", x, reached[i], all, most, x)
				if reached[i] > most && n.Name != world.Harsh.Name {
					t.Errorf("E ≥ %g too often", x)
				}
			}
		})
	}
}
