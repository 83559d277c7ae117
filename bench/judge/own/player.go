package own

import (
	"time"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/judge"
)

// Player leads a release by Fairway's judge: the canary, then the watch. Where an
// environment would have to ask a person, nobody answers: it goes on collecting.
type Player struct {
	plan   *Plan
	all    int
	judge  *judge.Judge
	sizing *judge.Sizing
	// watching tells that the canary has passed, over that the watch has too, and is
	// only looked on.
	watching, over bool
	move           play.Move
}

// New makes a player for one run.
func New(p *Plan) *Player { return &Player{plan: p} }

var _ play.Player = (*Player)(nil)

// Begin calibrates the judge from the service's past and gives the first weight.
func (p *Player) Begin(w *world.World) play.Move {
	w.LookAtInstances()
	set := p.plan.canary
	calibration := p.plan.Calibrate(w)
	p.all = w.Service.Instances
	p.judge = judge.New(set, calibration, p.plan.start)
	p.sizing = judge.NewSizing(set, calibration, p.plan.start)
	p.to(p.sizing.Weight, play.UnderWay)
	return p.move
}

// Look folds the sample and does what the verdict says.
func (p *Player) Look(r *world.Reading) play.Move {
	sample := r.Sample(p.plan.start)
	p.judge.Observe(sample)
	now := sample.At
	if p.watching {
		p.watch(p.judge.Decide(now))
		return p.move
	}
	p.sizing.Observe(sample)
	p.canary(p.judge.Decide(now), now)
	return p.move
}

// canary does in a canary what its executor does.
func (p *Player) canary(v judge.Verdict, now time.Time) {
	switch {
	case v.Kind == judge.Fail:
		p.takeBack("canary", v)
	case v.Kind == judge.Pass:
		p.to(1-p.plan.holdback, play.Passed)
		began := now.Add(world.Tick)
		set := p.plan.watch
		set.Watch = max(set.Watch, p.plan.minimumAge-began.Sub(p.plan.start))
		p.judge = judge.New(set, p.judge.Calibration(), began)
		p.watching = true
	case v.Reason == judge.Undecided || v.Reason == judge.NoEvidence && now.Sub(p.plan.start) >= p.plan.canary.Observation:
		p.move.Status = play.Waiting
	default:
		p.move.Status = play.UnderWay
		if next := p.sizing.Next(now, v); !next.Hold {
			p.to(next.Weight, play.UnderWay)
		}
	}
}

// watch does in a watch what its executor does; once the watch is over only the
// evidence itself counts.
func (p *Player) watch(v judge.Verdict) {
	switch {
	case v.Kind == judge.Fail && (!p.over || v.Reason == judge.Worse):
		p.takeBack("watch", v)
	case p.over:
	case v.Kind == judge.Pass:
		p.over = true
		p.move.Status = play.Promoted
	case v.Reason == judge.Undecided:
		p.move.Status = play.Waiting
	default:
		p.move.Status = play.Passed
	}
}

func (p *Player) to(weight float64, s play.Status) {
	instances := p.plan.capacity(weight, p.all)
	if s == play.Passed {
		instances = p.all
	}
	p.move = play.Move{Weight: weight, Instances: max(instances, p.move.Instances), Status: s}
}

// takeBack ends the release. The reason names the metric whose part of the evidence
// was the largest.
func (p *Player) takeBack(stage string, v judge.Verdict) {
	reason, most := stage+": "+string(v.Reason), 0.0
	for _, m := range p.judge.Verdict(p.plan.start).Metrics {
		if part := m.Share * m.Evidence; part > most {
			most, reason = part, stage+": "+m.Name
		}
	}
	p.move = play.Move{Status: play.TakenBack, Reason: reason}
}
