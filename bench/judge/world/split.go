package world

import "math"

// split tells which instances of the canary made the errors of a tick: given their
// sum, the counts of instances with even traffic are multinomial, each in proportion
// to its error rate. It has a generator of its own, so that looking changes nothing.
type split struct {
	random *generator
	chance []float64
	errors []int64 // by instance, of the tick
}

// many is from how many errors per instance on they are dealt out by binomials
// instead of one by one.
const many = 4

// deal deals the errors out. rate and e make an instance's error rate of its factor.
func (s *split) deal(errors int64, factors []float64, rate float64, e effect) []int64 {
	s.chance, s.errors = s.chance[:0], s.errors[:0]
	all := 0.0
	for _, f := range factors {
		p := e.errors(math.Min(1, rate*f))
		all += p
		s.chance, s.errors = append(s.chance, p), append(s.errors, 0)
	}
	if errors > many*int64(len(factors)) {
		for i, p := range s.chance {
			if i == len(s.chance)-1 {
				s.errors[i] = errors
				break
			}
			s.errors[i] = s.random.binomial(errors, math.Min(1, p/all))
			errors -= s.errors[i]
			all -= p
		}
		return s.errors
	}
	for range errors {
		s.errors[s.pick(s.random.Float64()*all)]++
	}
	return s.errors
}

// pick is the instance at x on the line of all chances.
func (s *split) pick(x float64) int {
	for i, p := range s.chance {
		if x -= p; x < 0 {
			return i
		}
	}
	return len(s.chance) - 1
}
