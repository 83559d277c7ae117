package rival

import (
	"math"
	"time"
)

// threshold is PipeCD's analysis with the strategy THRESHOLD: at every interval the
// query is read over that interval, a point a minute, and one point outside the
// expected range, or a query without a number, is a failure. More failures than the
// limit, which is 0 if nothing is said, end the stage.
//
//	https://pipecd.dev/docs/user-guide/managing-application/customizing-deployment/automated-deployment-analysis/
//	https://github.com/pipe-cd/examples/blob/master/kubernetes/analysis-by-metrics/app.pipecd.yaml
//	https://github.com/pipe-cd/pipecd/blob/master/pkg/app/piped/executor/analysis/metrics_analyzer.go
type threshold struct {
	points, checks timer
	lookback       time.Duration
	most           float64
	limit          int
	series         []float64
	failed         int
}

func newThreshold(every time.Duration, most float64) *threshold {
	return &threshold{points: timer{time.Minute, time.Minute}, checks: timer{every, every}, lookback: every, most: most}
}

func (t *threshold) look(now time.Duration, w *window) opinion {
	if t.points.due(now) {
		s, scrapes := w.over(t.lookback, canaryOf)
		if scrapes >= w.least() {
			t.series = append(t.series, s.failures())
		}
	}
	if !t.checks.due(now) {
		return quiet
	}
	expected := len(t.series) > 0
	for _, v := range t.series {
		expected = expected && !math.IsNaN(v) && v <= t.most
	}
	t.series = t.series[:0]
	return counted(&t.failed, t.limit, expected)
}

func counted(failed *int, limit int, expected bool) opinion {
	if expected {
		return good
	}
	if *failed++; *failed > limit {
		return fail
	}
	return bad
}

// primary is PipeCD's analysis with the strategy CANARY_PRIMARY and deviation HIGH:
// the interval's points of both arms, a minute each, are compared by the rank-sum
// test; a one-sided p-value of at most 0.05 is a failure, and so is an arm without
// points. Samples that are all equal, which its test cannot handle, count as good here.
type primary struct {
	points, checks timer
	limit          int
	metrics        [2]struct {
		pair
		of     func(*stats) float64
		failed int
	}
}

func newPrimary(every time.Duration, limit int) *primary {
	p := &primary{points: timer{time.Minute, time.Minute}, checks: timer{every, every}, limit: limit}
	p.metrics[0].of = (*stats).failures
	p.metrics[1].of = (*stats).percentile99
	return p
}

const significance = 0.05

func (p *primary) look(now time.Duration, w *window) opinion {
	if p.points.due(now) {
		c, scrapes := w.over(time.Minute, canaryOf)
		s, _ := w.over(time.Minute, stableOf)
		for i := range p.metrics {
			m := &p.metrics[i]
			if scrapes >= w.least() && c.requests > 0 {
				m.canary = append(m.canary, m.of(&c))
			}
			if scrapes >= w.least() && s.requests > 0 {
				m.stable = append(m.stable, m.of(&s))
			}
		}
	}
	if !p.checks.due(now) {
		return quiet
	}
	says := good
	for i := range p.metrics {
		m := &p.metrics[i]
		expected := len(m.canary) > 0 && len(m.stable) > 0 && greater(m.canary, m.stable) > significance
		says = max(says, counted(&m.failed, p.limit, expected))
		m.canary, m.stable = m.canary[:0], m.stable[:0]
	}
	return says
}
