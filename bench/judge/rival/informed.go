package rival

import (
	"math"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// informed is a judge that knows the size of the fault and the law of the noise, but
// not the noise itself. It bets on that one effect against none, in blocks of a minute,
// with a predictive law like that of Fairway's judge and without its precautions:
// no tolerance, no clip, no allowance for instances, no mixture of effects. What lies
// between it and the oracle is the price of the noise, what lies between it and
// Fairway's judge the price of not knowing what to look for.
type informed struct {
	plan    *own.Plan
	ramp    *own.Ramp
	metrics []*informedMetric
}

// InformedName is how it is called in reports.
const InformedName = "knows the size"

// NewInformed makes an informed judge for one run. The fault must not change with time.
func NewInformed(p *own.Plan, s world.Service) play.Player {
	return &informed{plan: p, ramp: p.NewRamp(s)}
}

func (in *informed) Begin(w *world.World) play.Move {
	c, f := in.plan.Calibrate(w), w.Scenario
	if f.ErrorFactor != 1 || f.ErrorAdd != 0 {
		in.metrics = append(in.metrics, &informedMetric{
			bound: -1, factor: f.ErrorFactor, add: math.Min(f.ErrorAdd, 0.95), tau2: c.Errors.Tau2,
			priorBad: c.Errors.Events, priorAll: c.Errors.Events / c.Errors.Rate,
		})
	}
	for _, th := range c.Latency {
		before, after := w.Scenario.Above(w.Service, th.Bound)
		if before == after {
			continue
		}
		in.metrics = append(in.metrics, &informedMetric{
			bound: th.Bound, factor: after / before, tau2: th.Noise.Tau2,
			priorBad: th.Noise.Events, priorAll: th.Noise.Events / th.Noise.Rate,
		})
	}
	weight, instances := in.ramp.Weight()
	return play.Move{Weight: weight, Instances: instances}
}

func (in *informed) Look(r *world.Reading) play.Move {
	for _, m := range in.metrics {
		if !r.Lost && m.see(r) >= math.Log(oracleOdds) {
			return play.Move{Status: play.TakenBack, Reason: "it is sure"}
		}
	}
	in.ramp.Grow(r)
	weight, instances := in.ramp.Weight()
	return play.Move{Weight: weight, Instances: instances}
}

// informedMetric is the evidence of one metric: of errors (a bound of -1), or of
// requests above a bound in seconds.
type informedMetric struct {
	bound, factor, add, tau2 float64
	// The stable arm's counts before the open block, with the history as a few events.
	priorBad, priorAll float64
	// The open block, and the log evidence before it.
	canaryBad, canary, stableBad, stable float64
	began                                float64
	booked                               float64
}

const informedBlock = 60.0 // seconds

// see folds a reading and returns the log evidence: Page's CUSUM over the blocks.
func (m *informedMetric) see(r *world.Reading) float64 {
	cb, c := m.counts(&r.Canary)
	sb, s := m.counts(&r.Stable)
	m.canaryBad, m.canary, m.stableBad, m.stable = m.canaryBad+cb, m.canary+c, m.stableBad+sb, m.stable+s
	canaries, stables := r.CanaryInstances, r.StableInstances
	if m.bound >= 0 {
		canaries, stables = r.CanaryWarm, r.StableWarm
	}
	noise := m.tau2 / 2 * (1/float64(max(1, canaries)) + 1/float64(max(1, stables)))
	now := m.booked + m.logProb(m.factor, m.add, noise) - m.logProb(1, 0, noise)
	if r.At.Seconds()-m.began >= informedBlock {
		m.booked = math.Max(0, now)
		m.priorBad += m.stableBad
		m.priorAll += m.stable
		m.canaryBad, m.canary, m.stableBad, m.stable = 0, 0, 0, 0
		m.began = r.At.Seconds()
	}
	return now
}

func (m *informedMetric) counts(c *world.Counts) (bad, all float64) {
	if m.bound < 0 {
		return float64(c.Errors), float64(c.Requests)
	}
	for i, n := range c.Warm {
		all += float64(n)
		if i > 0 && world.Bounds[i-1] >= m.bound {
			bad += float64(n)
		}
	}
	return bad, all
}

// The stable rate of a block is gamma distributed around the running mean, with a wide
// part for shared incidents.
var informedPrior = []struct{ weight, shape, multiple float64 }{{0.85, 3, 1}, {0.15, 1, 5}}

// logProb is that of the canary's count, where its rate is factor·λ + add: negative
// binomial, with what is not known of λ folded into the shape.
func (m *informedMetric) logProb(factor, add, noise float64) float64 {
	var weights, parts [2]float64
	top, topWeight := math.Inf(-1), math.Inf(-1)
	for i, p := range informedPrior {
		scale := p.shape / math.Min(0.5, p.multiple*m.priorBad/m.priorAll)
		shape := p.shape + m.stableBad
		weights[i] = math.Log(p.weight) + lgamma(shape) - lgamma(p.shape) + p.shape*math.Log(scale) - shape*math.Log(scale+m.stable)
		known := factor * shape / (scale + m.stable)
		rate := known + add
		u := known / rate * known / rate / shape
		kappa := 1 / (noise + u + noise*u)
		mean := m.canary * rate / kappa
		parts[i] = lgamma(m.canaryBad+kappa) - lgamma(kappa) - kappa*math.Log1p(mean)
		if m.canaryBad > 0 {
			parts[i] += m.canaryBad * (math.Log(mean) - math.Log1p(mean))
		}
		top, topWeight = math.Max(top, parts[i]), math.Max(topWeight, weights[i])
	}
	sum, all := 0.0, 0.0
	for i := range parts {
		w := math.Exp(weights[i] - topWeight)
		all += w
		sum += w * math.Exp(parts[i]-top)
	}
	return top + math.Log(sum/all)
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
