package world

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// generator draws random numbers. Each purpose of a run has its own.
type generator struct {
	*rand.Rand
	source rand.Source
}

// The purposes.
const (
	ofEnvironment = iota + 1
	ofStableNoise
	ofCanaryNoise
	ofStableCounts
	ofCanaryCounts
	ofScrapes
	ofHistory
	ofSplit
)

func newGenerator(seed, purpose uint64) *generator {
	source := rand.NewPCG(mix(seed, purpose), mix(purpose, seed))
	return &generator{rand.New(source), source}
}

// mix spreads seeds that lie side by side: the finaliser of splitmix64 (Steele, Lea
// and Flood, "Fast splittable pseudorandom number generators", 2014).
func mix(a, b uint64) uint64 {
	x := a*0x9E3779B97F4A7C15 + b + 0x632BE59BD9B4E019
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// Seed is the seed of the run with that number in a series of runs.
func Seed(series, run uint64) uint64 { return mix(series, run) }

func (g *generator) poisson(mean float64) int64 {
	if mean <= 0 {
		return 0
	}
	return int64(distuv.Poisson{Lambda: mean, Src: g.source}.Rand())
}

func (g *generator) binomial(n int64, p float64) int64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	}
	return int64(distuv.Binomial{N: float64(n), P: p, Src: g.source}.Rand())
}

// gamma has a mean of 1 and the given variance.
func (g *generator) gamma(variance float64) float64 {
	if variance <= 0 {
		return 1
	}
	return distuv.Gamma{Alpha: 1 / variance, Beta: 1 / variance, Src: g.source}.Rand()
}

// survival is the probability that a standard normal exceeds z.
func survival(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
