package rival

import (
	"time"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// Tool is another tool with its settings.
type Tool struct {
	Name string
	// Tuned tells that the settings are an expert's and not the documentation's.
	Tuned bool
	// life is how long the analysis lasts at least.
	life     time.Duration
	rule     func() rule
	schedule func(all int) schedule
}

// Tools are the field's, each as documented and as an expert who knows the service
// would set it: smaller first steps, more frequent checks, both metrics.
var Tools = []Tool{
	{
		// The example of "how it works": 5 % a minute to 50 %, ten failed checks.
		Name: "Flagger", rule: func() rule { return newFlagger(10) },
		schedule: func(all int) schedule {
			return &ladder{weights: []float64{.05, .1, .15, .2, .25, .3, .35, .4, .45, .5}, all: all}
		},
	},
	{
		Name: "Flagger", Tuned: true, rule: func() rule { return newFlagger(3) },
		schedule: func(all int) schedule {
			return &ladder{weights: []float64{.01, .02, .05, .1, .2, .35, .5}, all: all}
		},
	},
	{
		// The example of background analysis: 20 % every ten minutes, analysed from 40 % on.
		Name: "Argo", rule: func() rule {
			return &argo{timer: timer{10 * time.Minute, 5 * time.Minute}, success: 0.95, failureLimit: 3}
		},
		schedule: func(all int) schedule {
			return &stairs{weights: []float64{.2, .4, .6, .8}, every: 10 * time.Minute, all: all}
		},
	},
	{
		Name: "Argo", Tuned: true, rule: func() rule {
			return &argo{timer: timer{time.Minute, time.Minute}, success: 0.99, slowest: 0.5, failureLimit: 3, lookback: time.Minute}
		},
		schedule: func(all int) schedule {
			return &stairs{weights: []float64{.05, .2, .4, .6}, every: 5 * time.Minute, all: all}
		},
	},
	{
		// An hour at 10 %, judged every ten minutes.
		Name: "Kayenta", life: time.Hour, rule: func() rule { return newKayenta(time.Hour, 10*time.Minute, 1) },
		schedule: func(all int) schedule { return &stairs{weights: []float64{.1}, every: time.Hour, all: all} },
	},
	{
		Name: "Kayenta", Tuned: true, life: 30 * time.Minute, rule: func() rule { return newKayenta(30*time.Minute, 5*time.Minute, 1.2) },
		schedule: func(all int) schedule { return &stairs{weights: []float64{.05}, every: 30 * time.Minute, all: all} },
	},
	{
		// The example: 20 % for half an hour, at most 1 % errors.
		Name: "PipeCD", life: 30 * time.Minute, rule: func() rule { return newThreshold(5*time.Minute, 0.01) },
		schedule: func(all int) schedule { return &stairs{weights: []float64{.2}, every: 30 * time.Minute, all: all} },
	},
	{
		Name: "PipeCD", Tuned: true, life: 30 * time.Minute, rule: func() rule { return newPrimary(10*time.Minute, 0) },
		schedule: func(all int) schedule { return &stairs{weights: []float64{.1}, every: 30 * time.Minute, all: all} },
	},
}

// Title is the name with its settings.
func (t *Tool) Title() string {
	if t.Tuned {
		return t.Name + " (tuned)"
	}
	return t.Name
}

// OnOurWeights is what is appended to a title where the rule plays on Fairway's weights.
const OnOurWeights = " on our weights"

// Play makes a player with the tool's own schedule.
func (t *Tool) Play(s world.Service, scrape time.Duration) play.Player {
	return &player{rule: t.rule(), schedule: t.schedule(s.Instances), window: window{scrape: scrape}}
}

// PlayOn makes a player of the tool's rule with Fairway's weights.
func (t *Tool) PlayOn(p *own.Plan, s world.Service, scrape time.Duration) play.Player {
	return &player{rule: t.rule(), schedule: &ours{Ramp: p.NewRamp(s), life: t.life}, window: window{scrape: scrape}}
}

// player is a rule on a schedule.
type player struct {
	rule     rule
	schedule schedule
	window   window
}

var _ play.Player = (*player)(nil)

func (p *player) Begin(*world.World) play.Move { return p.move(play.UnderWay) }

func (p *player) move(s play.Status) play.Move {
	weight, instances := p.schedule.now()
	return play.Move{Weight: weight, Instances: instances, Status: s}
}

func (p *player) Look(r *world.Reading) play.Move {
	p.window.push(r)
	says := p.rule.look(r.At, &p.window)
	if says == fail {
		return play.Move{Status: play.TakenBack, Reason: "the rule"}
	}
	if p.schedule.next(r, says) {
		return play.Move{Weight: 1, Instances: r.StableInstances, Status: play.Promoted}
	}
	return p.move(play.UnderWay)
}
