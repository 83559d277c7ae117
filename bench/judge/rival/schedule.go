package rival

import (
	"time"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// schedule moves the weight.
type schedule interface {
	// next is told of each reading and what the rule said; over tells that all the
	// traffic may follow.
	next(r *world.Reading, o opinion) (over bool)
	now() (weight float64, instances int)
}

// ladder goes a step up with each good check, and is over with a good one on the top.
type ladder struct {
	weights []float64
	step    int
	all     int
}

func (l *ladder) now() (float64, int) { return l.weights[l.step], instances(l.weights[l.step], l.all) }

func (l *ladder) next(_ *world.Reading, o opinion) bool {
	if o != good {
		return false
	}
	if l.step == len(l.weights)-1 {
		return true
	}
	l.step++
	return false
}

// stairs go a step up at regular times, whatever the rule says.
type stairs struct {
	weights []float64
	every   time.Duration
	step    int
	all     int
}

func (s *stairs) now() (float64, int) { return s.weights[s.step], instances(s.weights[s.step], s.all) }

func (s *stairs) next(r *world.Reading, _ opinion) bool {
	step := int(r.At / s.every)
	s.step = min(step, len(s.weights)-1)
	return step >= len(s.weights)
}

// ours are Fairway's weights. They are over when the middle level has lasted, the
// analysis is as long as the rule wants it, and the last check was good.
type ours struct {
	*own.Ramp
	life time.Duration
	last opinion
}

func (s *ours) now() (float64, int) { return s.Weight() }

func (s *ours) next(r *world.Reading, o opinion) bool {
	if o != quiet {
		s.last = o
	}
	passed := s.Grow(r)
	return passed && r.At >= s.life && s.last == good
}

// instances is the canary in proportion to its weight, at least one.
func instances(weight float64, all int) int {
	n := int(weight * float64(all))
	if float64(n) < weight*float64(all)-1e-9 {
		n++
	}
	return max(1, n)
}
