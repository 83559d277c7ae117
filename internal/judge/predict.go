package judge

import "math"

// The predictive law: how many bad requests the canary may have, given what the
// stable arm did at the same time.
//
// The stable arm's rate λ in a block has a mixture of gamma posteriors, or one of
// them where it has shown enough. The
// canary's count given λ is negative binomial with variance of the log rate ω²
// between blocks; a gamma-mixed Poisson is exactly that (Greenwood and Yule,
// 1920). Folding the gamma uncertainty of λ into the shape of the negative
// binomial, by matching two moments, gives a closed form. Integrating over λ with
// a few quadrature nodes instead degenerates into spikes where the canary has
// most of the traffic, and raised false alarms there.

// hypothesis says what the canary's rate is, given the stable rate λ:
// factor·(ratio·λ + add) + extra. vague is the standard deviation of the logarithm of
// extra: more than 0 where it stands for all that are about as large.
type hypothesis struct {
	ratio, add, factor, extra float64
	vague                     float64
	logFactor                 float64 // ln factor
}

// gammaPart is one part of the prior of λ: its weight, its shape, and its mean as
// a multiple of the running mean. The two wide parts keep a shared incident at
// little traffic from looking like the canary's fault.
var gammaPrior = [parts]struct{ weight, shape, multiple float64 }{
	{0.85, 3, 1}, {0.12, 1, 4}, {0.03, 0.5, 25},
}

// priorLogs are the terms of a part's weight that no count changes.
var priorLogs = func() (log [parts]float64) {
	for j, p := range gammaPrior {
		log[j] = math.Log(p.weight) - lgamma(p.shape)
	}
	return log
}()

const (
	parts          = 3
	largestMean    = 0.5   // of a part of the prior
	smallestWeight = 0.001 // of a part of the posterior that is kept
	poissonShape   = 1e7   // from this shape on a negative binomial is a Poisson
	smallestMean   = 1e-12
	nothing        = 45 // nats below the greatest part that add nothing to a sum
	// enoughEvents is from how many bad events of stable the posterior is one gamma, with
	// the mean and the variance of its parts: where stable is as usual they then differ by
	// a few hundredths of what λ is uncertain by.
	enoughEvents = 20
)

// posterior is the distribution of λ after the stable arm's counts: gammas with
// weight, mean and shape.
type posterior struct {
	weight, mean, shape [parts]float64
	n                   int
}

// posteriorOf updates the prior with running mean rate by bad events in all requests.
func posteriorOf(rate, bad, all float64) posterior {
	var shape, scale, logWeight [parts]float64
	top := math.Inf(-1)
	for j, p := range gammaPrior {
		b := p.shape / min(rate*p.multiple, largestMean)
		shape[j], scale[j] = p.shape+bad, b+all
		logWeight[j] = priorLogs[j] + lgamma(p.shape+bad) +
			p.shape*math.Log(b) - (p.shape+bad)*math.Log(b+all)
		top = max(top, logWeight[j])
	}
	sum := 0.0
	for j := range logWeight {
		logWeight[j] = math.Exp(logWeight[j] - top)
		sum += logWeight[j]
	}
	var po posterior
	for j, w := range logWeight {
		if w/sum < smallestWeight {
			continue
		}
		po.weight[po.n], po.mean[po.n], po.shape[po.n] = w/sum, shape[j]/scale[j], shape[j]
		po.n++
	}
	po.normalize()
	if bad >= enoughEvents {
		po.collapse()
	}
	return po
}

// normalize makes the weights of the parts that were kept add up to 1.
func (po *posterior) normalize() {
	sum := 0.0
	for j := range po.n {
		sum += po.weight[j]
	}
	for j := range po.n {
		po.weight[j] /= sum
	}
}

// collapse makes one part of all, with their mean and variance.
func (po *posterior) collapse() {
	mean, variance := 0.0, 0.0
	for j := range po.n {
		mean += po.weight[j] * po.mean[j]
	}
	for j := range po.n {
		m, off := po.mean[j], po.mean[j]-mean
		variance += po.weight[j] * (m*m/po.shape[j] + off*off)
	}
	po.weight[0], po.mean[0], po.shape[0], po.n = 1, mean, mean*mean/variance, 1
}

// view is one stretch of counts: the canary's, and what the stable arm says about
// the rate during it.
type view struct {
	stable   posterior
	bad, all float64
	noise    float64 // ω², the variance of the log rate between blocks
	memo     [parts]gammaRatio
	bases    [parts]partBase
}

// logProb is the log predictive probability of the canary's count under h,
// without the term −ln bad!, which cancels in every ratio.
func (v *view) logProb(h *hypothesis) float64 {
	var log [parts]float64
	for j := range v.stable.n {
		log[j] = v.logPart(j, h)
	}
	return v.stable.mix(&log)
}

// mix is the logarithm of the mean over the parts, of which log has the logarithms.
func (po *posterior) mix(log *[parts]float64) float64 {
	if po.n == 1 {
		return log[0]
	}
	top := 0
	for j := 1; j < po.n; j++ {
		if log[j] > log[top] {
			top = j
		}
	}
	sum := po.weight[top]
	for j := range po.n {
		if d := log[j] - log[top]; j != top && d > -nothing {
			sum += po.weight[j] * math.Exp(d)
		}
	}
	return log[top] + math.Log(sum)
}

// logPart is logProb if the stable rate is of the part.
func (v *view) logPart(j int, h *hypothesis) float64 {
	if h.extra == 0 {
		return v.base(j, h).logProb(v.bad, h)
	}
	known := h.ratio * v.stable.mean[j]
	rate := h.factor*(known+h.add) + h.extra
	return v.logNegativeBinomial(j, v.all*rate, v.shape(j, h.factor*known/rate, h.vague*h.extra/rate))
}

// shape is that of the negative binomial, if the share of its rate is a multiple of λ,
// and vague the standard deviation of the rest.
func (v *view) shape(j int, share, vague float64) float64 {
	u := share*share/v.stable.shape[j] + vague*vague
	return 1 / max(1e-9, v.noise+u+v.noise*u)
}

// partBase is what all hypotheses with one null have in common: they differ by a
// factor only, which leaves the shape as it is. Half of the time of a look would
// otherwise go into the same logarithms.
type partBase struct {
	ratio, add     float64 // the null; 0 before the first
	shape, odds    float64 // odds is the mean over the shape, at a factor of 1
	logOdds, gamma float64
	poisson        bool
}

func (v *view) base(j int, h *hypothesis) *partBase {
	b := &v.bases[j]
	if b.ratio == h.ratio && b.add == h.add {
		return b
	}
	known := h.ratio * v.stable.mean[j]
	b.ratio, b.add, b.shape = h.ratio, h.add, v.shape(j, known/(known+h.add), 0)
	mean := max(v.all*(known+h.add), smallestMean)
	if b.poisson = b.shape > poissonShape; b.poisson {
		b.odds, b.gamma = mean, 0
	} else {
		b.odds, b.gamma = mean/b.shape, v.memo[j].of(v.bad, b.shape)
	}
	b.logOdds = math.Log(b.odds)
	return b
}

func (b *partBase) logProb(bad float64, h *hypothesis) float64 {
	x := b.odds * h.factor
	if b.poisson {
		return bad*(b.logOdds+h.logFactor) - x
	}
	q := log1p(x)
	return b.gamma + bad*(b.logOdds+h.logFactor-q) - b.shape*q
}

// with is b for another count.
func (b *partBase) with(bad float64) partBase {
	c := *b
	if !b.poisson {
		c.gamma = logRising(b.shape, bad)
	}
	return c
}

// expected is the mean of the canary's count under h.
func (v *view) expected(h *hypothesis) float64 {
	sum := 0.0
	for j := 0; j < v.stable.n; j++ {
		sum += v.stable.weight[j] * (h.factor*(h.ratio*v.stable.mean[j]+h.add) + h.extra)
	}
	return v.all * sum
}

func (v *view) logNegativeBinomial(part int, mean, shape float64) float64 {
	mean = max(mean, smallestMean)
	if shape > poissonShape {
		return v.bad*math.Log(mean) - mean
	}
	x := mean / shape
	q := log1p(x)
	return v.memo[part].of(v.bad, shape) + v.bad*(math.Log(x)-q) - shape*q
}

// gammaRatio remembers the last lnΓ(y+κ) − lnΓ(κ): all multiplicative
// alternatives share their κ with the null.
type gammaRatio struct{ y, shape, value float64 }

func (g *gammaRatio) of(y, shape float64) float64 {
	if y == 0 {
		return 0
	}
	if g.shape != shape || g.y != y {
		*g = gammaRatio{y, shape, logRising(shape, y)}
	}
	return g.value
}

// logRising is lnΓ(x+n) − lnΓ(x). For a few whole steps it is the logarithm of a product.
func logRising(x, n float64) float64 {
	const few, small = 12, 1e20 // the product stays finite
	if n > few || n != math.Trunc(n) || x > small {
		return lgamma(x+n) - lgamma(x)
	}
	product := 1.0
	for ; n > 0; n-- {
		product *= x
		x++
	}
	return math.Log(product)
}

// log1p is ln(1+x) for x ≥ 0, but for 10⁻¹⁶, in half of the time of [math.Log1p].
func log1p(x float64) float64 { return math.Log(1 + x) }

// lgamma is lnΓ(x) for x > 0: Stirling's series from 10 on, where its error is below
// 10⁻¹² (Abramowitz and Stegun, 6.1.41), in a third of the time.
func lgamma(x float64) float64 {
	if x < 10 {
		v, _ := math.Lgamma(x)
		return v
	}
	r := 1 / x
	r2 := r * r
	series := r * (1.0/12 - r2*(1.0/360-r2*(1.0/1260-r2/1680)))
	return (x-0.5)*math.Log(x) - x + halfLog2Pi + series
}

const halfLog2Pi = 0.918938533204672741780329736406
