package judge

import (
	"math"
	"slices"
)

// The interval of the ratio between the canary's and the stable's rate: a
// confidence sequence by the method of mixtures (Robbins 1970), inverted on a grid.
// It holds however often one looks. It is for people to read; no decision uses it.

const (
	ratioPoints = 94
	ratioStep   = 0.1
	ratioMiss   = 20 // 1 / 0.05
	// From hopeless nats below the best on, a ratio counts as leastLog below it.
	hopeless = 100
	leastLog = 10000
)

// ratioAt is the grid: 0.1 to about 1,100, in steps of 10 %.
func ratioAt(i int) float64 { return math.Exp(math.Log(0.1) + ratioStep*float64(i)) }

// bookRatio returns closed plus the open block's log likelihood of each ratio,
// with the full τ² and without a clip. closed is changed.
func (t *track) bookRatio(closed []float64) []float64 {
	if closed == nil {
		closed = make([]float64, ratioPoints)
	}
	if t.Block.Canary == 0 {
		return closed
	}
	v := viewOf(t.Block, t.stableRate(), t.blockNoise()/t.rules.settings.NoiseShare)
	v.addRatios(closed)
	return closed
}

// grid holds the grid's ratios and their logarithms.
var grid = func() (g [ratioPoints]struct{ ratio, log float64 }) {
	for i := range g {
		g[i].ratio, g[i].log = ratioAt(i), math.Log(ratioAt(i))
	}
	return g
}()

// addRatios adds logProb of "the canary's rate is so many times stable's" for each
// ratio of the grid, but for a constant. The shape is the same for all of them, so
// only two terms differ.
func (v *view) addRatios(to []float64) {
	var odds, logOdds, shape, logWeight [parts]float64 // of the mean over the shape at a ratio of 1
	for j := 0; j < v.stable.n; j++ {
		u := 1 / v.stable.shape[j]
		shape[j] = 1 / max(1/poissonShape, v.noise+u+v.noise*u)
		odds[j] = max(v.all*v.stable.mean[j], smallestMean) / shape[j]
		logOdds[j] = math.Log(odds[j])
		logWeight[j] = math.Log(v.stable.weight[j]) + v.memo[j].of(v.bad, shape[j])
	}
	var log [parts]float64
	for i := range to {
		if to[i] <= -leastLog {
			continue
		}
		top := math.Inf(-1)
		for j := 0; j < v.stable.n; j++ {
			q := log1p(odds[j] * grid[i].ratio)
			log[j] = logWeight[j] + v.bad*(logOdds[j]+grid[i].log-q) - shape[j]*q
			top = max(top, log[j])
		}
		if v.stable.n == 1 {
			to[i] += top
			continue
		}
		sum := 0.0
		for j := 0; j < v.stable.n; j++ {
			sum += math.Exp(log[j] - top)
		}
		to[i] += top + math.Log(sum)
	}
}

// settle makes closed short to write: only differences count, and a thousandth of
// a nat is more than a person sees. A ratio that has become hopeless stays so, and
// costs nothing more.
func settle(closed []float64) {
	top := slices.Max(closed)
	for i, x := range closed {
		closed[i] = math.Round((x-top)*1000) / 1000
		if x <= -leastLog || closed[i] < -hopeless {
			closed[i] = -leastLog
		}
	}
}

// ratio is the estimate of the ratio with its 95 % interval, widened by the
// allowance for instances. ok is false while there is nothing to compare.
func (t *track) ratio() (i Interval, ok bool) {
	if t.Total.Canary == 0 || t.Total.Stable == 0 {
		return Interval{}, false
	}
	log := t.bookRatio(append([]float64(nil), t.Ratio...))
	top, best := math.Inf(-1), 0
	for k, x := range log {
		if x > top {
			top, best = x, k
		}
	}
	var mean, mass float64
	for k, x := range log {
		prior := math.Exp(-math.Abs(math.Log(ratioAt(k))) / 0.8)
		mean += prior * math.Exp(x-top)
		mass += prior
	}
	floor := top + math.Log(mean/mass) - math.Log(ratioMiss)
	low, high := best, best
	for low > 0 && log[low-1] > floor {
		low--
	}
	for high < len(log)-1 && log[high+1] > floor {
		high++
	}
	f := math.Exp(2 * math.Sqrt(t.rules.noise.Sigma2*t.spread()))
	return Interval{Low: ratioAt(low) / f, High: ratioAt(high) * f}, true
}

// Interval is a range with its ends.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// wilson is the 95 % score interval of a share (Wilson 1927), for one look.
func wilson(bad, all float64) Interval {
	if all <= 0 {
		return Interval{0, 1}
	}
	const z = 1.96
	p := bad / all
	mid := (p + z*z/(2*all)) / (1 + z*z/all)
	half := z / (1 + z*z/all) * math.Sqrt(p*(1-p)/all+z*z/(4*all*all))
	return Interval{math.Max(0, mid-half), math.Min(1, mid+half)}
}
