package judge

import "math"

// Latency is judged on counts of requests slower than a few thresholds, never on
// interpolated quantiles: counts are exact, and add up over instances and time.

// Threshold is a latency metric: the bound, how steep the stable's survival
// function is there, and the noise.
type Threshold struct {
	// Bound in seconds; a request above it is a bad event.
	Bound float64 `json:"bound"`
	// Slope is −d ln S / d ln b at the bound: a slowdown of everything by a factor m
	// multiplies the requests above the bound by m^Slope.
	Slope float64 `json:"slope"`
	Noise Noise   `json:"noise"`
}

var survivalTargets = []float64{0.3, 0.01, 0.001}

const (
	largestSurvival = 0.7
	targetRatio     = 6 // how far the survival may be from its target
	smallestSlope   = 1
	largestSlope    = 12
	unknownSlope    = 2
	// slopeStretch and slopeEvents are the least distance and the least requests over
	// which a slope is measured: between the narrow bounds of a native histogram it
	// would be all noise.
	slopeStretch = 1.15
	slopeEvents  = 20
)

// chooseThresholds takes, for each target, the bound with the nearest survival and
// at least leastEvents above it. If none fits, it takes the lowest bound that most
// requests stay under, so that a canary that becomes much slower is seen.
func chooseThresholds(h Histogram, leastEvents float64) []Threshold {
	total := float64(h.Total())
	if total == 0 {
		return nil
	}
	survival := survivalOf(h)
	var chosen []Threshold
	used := map[int]bool{}
	take := func(i int) {
		if used[i] {
			return
		}
		used[i] = true
		chosen = append(chosen, Threshold{Bound: h.Bounds[i], Slope: slopeAt(h.Bounds, survival, total, i)})
	}
	for _, target := range survivalTargets {
		best, distance := -1, math.Log(targetRatio)
		for i, s := range survival {
			if s*total < leastEvents || s > largestSurvival {
				continue
			}
			if d := math.Abs(math.Log(s / target)); d < distance {
				best, distance = i, d
			}
		}
		if best >= 0 {
			take(best)
		}
	}
	if len(chosen) == 0 {
		for i, s := range survival {
			if s <= largestSurvival {
				take(i)
				break
			}
		}
	}
	return chosen
}

// survivalOf is the share of requests above each bound.
func survivalOf(h Histogram) []float64 {
	total := float64(h.Total())
	s := make([]float64, len(h.Bounds))
	above := 0.0
	for i := len(h.Bounds) - 1; i >= 0; i-- {
		above += float64(h.Counts[i+1])
		s[i] = above / total
	}
	return s
}

// slopeAt looks below the bound, because that is where requests that a slowdown
// lifts over it come from.
func slopeAt(bounds, survival []float64, total float64, i int) float64 {
	below := i - 1
	for below > 0 && (bounds[i] < slopeStretch*bounds[below] || (survival[below]-survival[i])*total < slopeEvents) {
		below--
	}
	if below < 0 || bounds[below] <= 0 || survival[below] <= survival[i] {
		return unknownSlope
	}
	if survival[i] == 0 {
		return largestSlope
	}
	s := math.Log(survival[below]/survival[i]) / math.Log(bounds[i]/bounds[below])
	return math.Max(smallestSlope, math.Min(largestSlope, s))
}
