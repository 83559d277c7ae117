package judge

import (
	"math"
	"math/rand/v2"
)

// The two variances of the noise, from the service's own past: instances of stable
// are split at random into two halves, as if one were a canary. What the halves
// differ by beyond counting noise is what a healthy canary may differ by.
//
// Given the sum of a block's events, those of one half are binomial; the excess of
// the squared standardised difference over 1 estimates the variance by the method
// of moments (as DerSimonian and Laird, 1986, do between studies).

const (
	manySplits    = 8
	winsorize     = 12 // so that bursts do not rule the estimate
	longBlock     = 4  // minutes; shows how alike neighbouring minutes are
	mostInflation = 4
	leastTau      = 0.02 // of the prior
)

// moments accumulates the estimate for one block length.
type moments struct{ sum, weight float64 }

// variances returns τ², inflated for autocorrelation, and σ².
func variances(s series, p prior, seed uint64) (tau2, sigma2 float64) {
	instances := len(s.all)
	splits := manySplits
	switch instances {
	case 2:
		splits = 1
	case 3:
		splits = 3
	}
	random := rand.New(rand.NewPCG(seed, 99))
	order := make([]int, instances)
	for i := range order {
		order[i] = i
	}
	var short, long moments
	var lasting, counting []float64
	for k := range splits {
		if instances == 3 {
			order = []int{k, (k + 1) % 3, (k + 2) % 3}
		} else if instances > 3 {
			random.Shuffle(instances, func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		h := halves{series: s, first: order[:instances/2], second: order[instances/2:]}
		short.add(h, 1, p)
		long.add(h, longBlock, p)
		if l, c, ok := h.lasting(); ok {
			lasting, counting = append(lasting, l), append(counting, c)
		}
	}
	v1 := short.shrunk(splits, p, p.tau2+p.sigma2)
	v4 := long.shrunk(splits, p, p.tau2*p.inflation/longBlock+p.sigma2)
	sigma2 = lastingVariance(lasting, counting, v1*2/float64(s.minutes()), instances, p)
	t1 := math.Max(v1-sigma2, leastTau*p.tau2)
	t4 := math.Max(v4-sigma2, 0)
	return t1 * math.Max(1, math.Min(mostInflation, longBlock*t4/t1)), sigma2
}

// halves is one split of the instances.
type halves struct {
	series
	first, second []int
}

func (h halves) spread() float64 { return 1/float64(len(h.first)) + 1/float64(len(h.second)) }

// counts are both halves' sums over minutes [from, to).
func (h halves) counts(from, to int) tally {
	var t tally
	if h.trims {
		t.CanaryBad -= h.excess(h.first, from, to)
		t.StableBad -= h.excess(h.second, from, to)
	}
	for m := from; m < to; m++ {
		for _, i := range h.first {
			t.CanaryBad += h.bad[i][m]
			t.Canary += h.all[i][m]
		}
		for _, i := range h.second {
			t.StableBad += h.bad[i][m]
			t.Stable += h.all[i][m]
		}
	}
	return t
}

func (m *moments) add(h halves, block int, p prior) {
	for from := 0; from+block <= h.minutes(); from += block {
		t := h.counts(from, from+block)
		events := t.events()
		if events < 2 || t.Canary == 0 || t.Stable == 0 {
			continue
		}
		share := t.Canary / (t.Canary + t.Stable)
		variance := events * share * (1 - share)
		z2 := (t.CanaryBad - events*share) * (t.CanaryBad - events*share) / variance
		g := (events - 1) * share * (1 - share) * h.spread()
		z2 = math.Min(z2, winsorize*(1+g*p.tau2))
		weight := 1 / ((1 + g*p.tau2) * (1 + g*p.tau2))
		m.sum += weight * g * (z2 - 1)
		m.weight += weight * g * g
	}
}

// shrunk is the estimate, drawn to what the prior expects as far as there is
// little information.
func (m moments) shrunk(splits int, p prior, expected float64) float64 {
	if m.weight == 0 {
		return expected
	}
	information := m.weight / float64(splits) * p.tau2 * p.tau2 / 2
	w := information / (1 + information)
	return w*math.Max(0, m.sum/m.weight) + (1-w)*expected
}

// excess is how many bad events the worst of the instances have more than the others.
func (h halves) excess(instances []int, from, to int) float64 {
	if len(instances) < fewInstances {
		return 0
	}
	counts := make([]float64, 0, len(instances))
	for _, i := range instances {
		n := 0.0
		for m := from; m < to; m++ {
			n += h.bad[i][m]
		}
		counts = append(counts, n)
	}
	return excess(counts, len(instances))
}

// lasting is the squared log ratio of the halves over the whole history, per unit
// of spread, and what counting alone contributes to it.
func (h halves) lasting() (squared, counting float64, ok bool) {
	h.trims = false
	t := h.counts(0, h.minutes())
	if t.CanaryBad == 0 || t.StableBad == 0 {
		return 0, 0, false
	}
	l := math.Log(t.CanaryBad/t.Canary) - math.Log(t.StableBad/t.Stable)
	return l * l / h.spread(), (1/t.CanaryBad + 1/t.StableBad) / h.spread(), true
}

// lastingVariance is σ²: what is left of the lasting difference after counting
// noise and the average of the passing noise, drawn to the prior.
func lastingVariance(squared, counting []float64, passing float64, instances int, p prior) float64 {
	if len(squared) == 0 {
		return p.sigma2
	}
	var a, c float64
	for i := range squared {
		a += squared[i] / float64(len(squared))
		c += counting[i] / float64(len(counting))
	}
	estimate := math.Max(0, a-c-passing)
	freedom := float64(instances-1) / 2
	w := freedom / (freedom + 2) * p.sigma2 / (p.sigma2 + c)
	return w*estimate + (1-w)*p.sigma2
}
