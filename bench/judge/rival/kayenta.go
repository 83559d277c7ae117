package rival

import (
	"math"
	"slices"
	"time"
)

// kayenta is Spinnaker's canary analysis with its default judge: each metric is a
// series of one-minute points of both arms, over a window that grows from the start. A
// metric is high when the lower 98 % confidence bound of the shift (Mann and Whitney's
// test) is more than a quarter of the estimated shift, and the ratio of the means at
// least what is allowed. The score is the mean of the groups, 50 for errors and 50 for
// latency (p99 and mean); below the marginal score the release goes back, and at the
// end it must reach the pass score.
//
//	https://spinnaker.io/docs/guides/user/canary/judge/
//	https://spinnaker.io/docs/guides/user/canary/best-practices/
//	https://github.com/spinnaker/kayenta/blob/master/kayenta-judge/src/main/scala/com/netflix/kayenta/judge/classifiers/metric/MannWhitneyClassifier.scala
//	https://github.com/spinnaker/kayenta/blob/master/kayenta-mannwhitney/src/main/scala/com/netflix/kayenta/mannwhitney/MannWhitney.scala
//
// Its roots are found exactly here, where its own solver is content with less. It is
// compared with the whole stable version; the advised fresh baseline of the
// canary's size would see as much traffic as the canary, which is less.
type kayenta struct {
	points, judgement  timer
	life               time.Duration
	allowed            float64
	failures, p99, avg pair
}

// pair is one metric's points in both arms.
type pair struct{ canary, stable []float64 }

const (
	marginalScore, passScore = 75, 95
	quarter                  = 0.25
	confidence98             = 2.3263 // two-sided
)

func newKayenta(life, every time.Duration, allowed float64) *kayenta {
	return &kayenta{points: timer{time.Minute, time.Minute}, judgement: timer{every, every}, life: life, allowed: allowed}
}

func (k *kayenta) look(now time.Duration, w *window) opinion {
	if k.points.due(now) {
		k.collect(w)
	}
	if !k.judgement.due(now) {
		return quiet
	}
	score := k.score()
	if score < marginalScore || now >= k.life && score < passScore {
		return fail
	}
	return good
}

// collect adds a point of each metric, where there were requests.
func (k *kayenta) collect(w *window) {
	for _, side := range []struct {
		of                 arm
		failures, p99, avg *[]float64
	}{
		{canaryOf, &k.failures.canary, &k.p99.canary, &k.avg.canary},
		{stableOf, &k.failures.stable, &k.p99.stable, &k.avg.stable},
	} {
		s, scrapes := w.over(time.Minute, side.of)
		if scrapes < w.least() || s.requests == 0 {
			continue
		}
		*side.failures = append(*side.failures, s.failures())
		*side.p99 = append(*side.p99, s.percentile99())
		*side.avg = append(*side.avg, s.mean())
	}
}

func (k *kayenta) score() float64 {
	passes := func(p *pair) float64 {
		if k.high(p.canary, p.stable) {
			return 0
		}
		return 1
	}
	return 50*passes(&k.failures) + 25*passes(&k.p99) + 25*passes(&k.avg)
}

// high classifies one metric. No data and equal data pass.
func (k *kayenta) high(canary, stable []float64) bool {
	if len(canary) == 0 || len(stable) == 0 || slices.Equal(sorted(canary), sorted(stable)) {
		return false
	}
	if constant(canary) && constant(stable) {
		// Kayenta adds a little noise to such series so that its test can rank them.
		return canary[0] > stable[0]
	}
	lower, ok := shiftBound(canary, stable, confidence98)
	if !ok {
		return false
	}
	estimate, ok := shiftBound(canary, stable, 0)
	if !ok || lower <= quarter*math.Abs(estimate) {
		return false
	}
	c, s := mean(canary), mean(stable)
	return c == 0 || s == 0 || c/s >= k.allowed
}

func constant(x []float64) bool { return slices.Min(x) == slices.Max(x) }

func sorted(x []float64) []float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
