package judge

import (
	"math"
	"time"
)

// Step is a stretch of a canary to plan with: how much traffic, for how long.
type Step struct {
	// Rate is the service's traffic in requests per second, Weight the canary's share.
	Rate   float64 `json:"rate"`
	Weight float64 `json:"weight"`
	// Errors is the stable error rate; 0 takes the calibration's.
	Errors float64 `json:"errors,omitempty"`
	// Canary and Stable are the instances of the arms, at least 1.
	Canary int           `json:"canary"`
	Stable int           `json:"stable"`
	For    time.Duration `json:"for"`
}

// Sight is the smallest harm that a step finds in its time with a probability of
// about 80 %, under the noise that the judge assumes.
type Sight struct {
	// Errors is the rise of the error rate (0.012 is 1.2 percentage points), found
	// after ErrorsAfter. It is 0 if not even a total failure is found.
	Errors      float64       `json:"errors,omitempty"`
	ErrorsAfter time.Duration `json:"errorsAfter,omitempty"`
	// Latency is the slowdown of everything (0.2 is 20 %), found after
	// LatencyAfter; 0 if not even a hundredfold one is.
	Latency      float64       `json:"latency,omitempty"`
	LatencyAfter time.Duration `json:"latencyAfter,omitempty"`
}

const (
	bisections    = 12
	unlucky       = 0.8416 // the 20th percentile of the normal distribution, as a positive number
	healthy       = 0.5    // E of a metric that shows nothing
	leastRise     = 0.0001
	leastSlowdown = 0.005
	mostSlowdown  = 100
	allSlow       = 0.99 // the largest share above a threshold
)

// typicalLatency stands in where nothing is known: thresholds on answers whose
// logarithm is normal with a standard deviation of 0.6.
var typicalLatency = []struct{ survival, slope float64 }{{0.3, 1.9}, {0.01, 4.4}, {0.001, 5.6}}

// SmallestRegression computes the sight of a step: it feeds the judge's own code
// with the counts of a canary that is worse by a given amount and a little lucky
// (the 20th percentile of what it would show), and looks for the least amount that
// is taken back in time.
func SmallestRegression(s Settings, c Calibration, step Step) Sight {
	if step.Errors > 0 {
		c.Errors.Rate = math.Min(step.Errors, 0.5)
	}
	if len(c.Latency) == 0 {
		for i, typical := range typicalLatency {
			noise := latencyPrior.noise(typical.survival, historyEvents)
			c.Latency = append(c.Latency, Threshold{Bound: float64(i + 1), Slope: typical.slope, Noise: noise})
		}
	}
	p := rehearsal{settings: &s, calibration: &c, step: step}
	var sight Sight
	sight.Errors, sight.ErrorsAfter = smallest(leastRise, 1-c.Errors.Rate, p.errorsFound)
	slow, after := smallest(leastSlowdown, mostSlowdown, p.latencyFound)
	sight.Latency, sight.LatencyAfter = slow, after
	return sight
}

// smallest searches, on a logarithmic scale, the least amount that found finds,
// and after how long.
func smallest(low, high float64, found func(amount float64) (time.Duration, bool)) (float64, time.Duration) {
	after, ok := found(high)
	if !ok {
		return 0, 0
	}
	for range bisections {
		middle := math.Sqrt(low * high)
		if d, ok := found(middle); ok {
			high, after = middle, d
		} else {
			low = middle
		}
	}
	return high, after
}

// rehearsal is a step with what the judge knows.
type rehearsal struct {
	settings    *Settings
	calibration *Calibration
	step        Step
}

func (p rehearsal) errorsFound(rise float64) (time.Duration, bool) {
	base := p.calibration.Errors.Rate
	t := errorTrack(p.settings, p.calibration)
	t.Capital = p.settings.ErrorShare * p.settings.builtinShare()
	return p.found([]*track{t}, []float64{base}, []float64{math.Min(1, base+rise)})
}

func (p rehearsal) latencyFound(slowdown float64) (time.Duration, bool) {
	var tracks []*track
	var stable, canary []float64
	for _, th := range p.calibration.Latency {
		t := latencyTrack(p.settings, p.calibration, th)
		t.Capital = (1 - p.settings.ErrorShare) * p.settings.builtinShare() / float64(len(p.calibration.Latency))
		tracks = append(tracks, t)
		stable = append(stable, th.Noise.Rate)
		canary = append(canary, math.Min(math.Max(allSlow, th.Noise.Rate), th.Noise.Rate*math.Pow(1+slowdown, th.Slope)))
	}
	return p.found(tracks, stable, canary)
}

// found folds the expected counts block by block until the evidence suffices.
func (p rehearsal) found(tracks []*track, stable, canary []float64) (time.Duration, bool) {
	length := p.settings.Block.Seconds()
	total := p.step.For.Seconds()
	if total <= 0 || p.step.Rate <= 0 || p.step.Weight <= 0 || p.step.Weight >= 1 {
		return 0, false
	}
	idle := healthy
	for _, t := range tracks {
		t.rules.bare = true
		t.CanaryInstances, t.StableInstances = p.step.Canary, p.step.Stable
		idle -= healthy * t.Capital
	}
	perSecond := p.step.Rate * p.step.Weight
	for from := 0.0; from < total; from += length {
		to := math.Min(total, from+length)
		n, m := perSecond*(to-from), p.step.Rate*(1-p.step.Weight)*(to-from)
		evidence := idle
		for i, t := range tracks {
			bad := n * canary[i] * t.luck(perSecond*canary[i], canary[i], to, length)
			t.fold(from, to, tally{CanaryBad: bad, Canary: n, StableBad: m * stable[i], Stable: m}, p.step.Weight)
			evidence += t.Capital * t.Harm.evidence()
		}
		if evidence >= 1/p.settings.FalseAlarm {
			return time.Duration(to * float64(time.Second)), true
		}
	}
	return 0, false
}

// luck is the 20th percentile of the canary's bad requests in seconds, as a share
// of their mean.
func (t *track) luck(perSecond, rate, seconds, block float64) float64 {
	blocks := math.Max(1, seconds/block)
	variance := (1-rate)/(perSecond*seconds) + (1-rate)*t.blockNoise()/blocks
	return math.Max(0, 1-unlucky*math.Sqrt(variance))
}
