package judge

import "math"

// New instances are slow at first: caches are empty, code is not compiled yet. That is
// not the release's fault, so their latency is not judged until they are warm; but a
// release that makes answers slow hurts meanwhile. What young instances of this service
// did in earlier releases says how much slower they may be at which age, and what is
// beyond counts from the first request on.

const (
	coldStep = 15.0 // seconds of age in one step
	// coldMost is the largest factor at which a cold instance's latency still says
	// something, coldDoubt the largest variance of its logarithm.
	coldMost  = 2
	coldDoubt = 0.3
	// coldNoise is the variance that releases differ by, beyond counting.
	coldNoise = 0.005
)

// ColdStart is what young canary instances of earlier releases did, beside the stable
// arm at the same time. Only releases that turned out well teach it.
type ColdStart struct {
	// Bounds are those of all histograms, in seconds.
	Bounds []float64 `json:"bounds,omitempty"`
	// Ages[i] are instances that were 15·i to 15·(i+1) seconds old when the interval began.
	Ages []ColdAge `json:"ages,omitempty"`
}

// ColdAge are the counts of both arms in the buckets of a histogram.
type ColdAge struct {
	Canary []int64 `json:"canary"`
	Stable []int64 `json:"stable"`
}

// Learn adds the samples of an earlier release. Samples with other bounds than the
// first are left out.
func (c *ColdStart) Learn(samples []Sample) {
	for _, s := range samples {
		cold, stable := s.Canary.Cold, s.Stable.Latency
		if s.broken() != "" || cold.Empty() || stable.Empty() {
			continue
		}
		if c.Bounds == nil {
			c.Bounds = append(c.Bounds, cold.Bounds...)
		}
		if first := (Histogram{Bounds: c.Bounds}); !first.SameBounds(cold) || !first.SameBounds(stable) {
			continue
		}
		age := int(s.Canary.ColdAge / coldStep)
		for len(c.Ages) <= age {
			n := len(c.Bounds) + 1
			c.Ages = append(c.Ages, ColdAge{make([]int64, n), make([]int64, n)})
		}
		for i := range cold.Counts {
			c.Ages[age].Canary[i] += cold.Counts[i]
			c.Ages[age].Stable[i] += stable.Counts[i]
		}
	}
}

// allowance is how many times stable's share of slow requests a cold instance may be
// expected to have, and the variance of the logarithm of that. A factor of 0 is unknown.
type allowance struct{ factor, variance float64 }

// allowances are those of an age.
type allowances []allowance

func (a allowances) at(age float64) allowance {
	if i := int(age / coldStep); age >= 0 && i < len(a) {
		return a[i]
	}
	return allowance{}
}

// allowances are the ratios of both arms' shares above the bound, with the variance of
// a log ratio of two counts (Woolf, 1955). Ages about which little is known are left out.
func (c *ColdStart) allowances(bound float64) allowances {
	all := make(allowances, len(c.Ages))
	for i, age := range c.Ages {
		canary, stable := Histogram{c.Bounds, age.Canary}, Histogram{c.Bounds, age.Stable}
		slow, known := canary.Above(bound)
		usual, _ := stable.Above(bound)
		n, m := float64(canary.Total()), float64(stable.Total())
		if !known || n == 0 || m == 0 {
			continue
		}
		y, x := float64(slow)+0.5, float64(usual)+0.5
		a := allowance{math.Max(1, y/n*m/x), 1/y + 1/x + coldNoise}
		if a.factor <= coldMost && a.variance <= coldDoubt {
			all[i] = a
		}
	}
	return all
}

// warmUp adds the cold instances to what the canary did.
func (v *view) warmUp(c tally) {
	if c.ColdLoad == 0 {
		return
	}
	v.all += c.ColdLoad
	v.noise += c.ColdDoubt * c.ColdDoubt / (v.all * v.all)
}
