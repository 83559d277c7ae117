package judge

import (
	"math"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// MetricKind is how a custom metric is counted.
type MetricKind string

// The kinds of custom metrics.
const (
	// RatioMetric counts bad events among all events, such as checkouts that failed.
	RatioMetric MetricKind = "ratio"
	// MeanMetric is the mean of a quantity that is never negative, such as the value
	// of an order or the time in a queue.
	MeanMetric MetricKind = "mean"
)

// Better is the direction in which a metric is good.
type Better string

// The directions. A ratio counts bad events, so for it lower is always better.
const (
	LowerIsBetter  Better = "lower"
	HigherIsBetter Better = "higher"
)

// CustomMetric is a metric that a team judges by beside errors and latency. It is a
// further entry of the one false-alarm budget, and a pass needs proof of it too.
type CustomMetric struct {
	Name   string     `json:"name"`
	Kind   MetricKind `json:"kind"`
	Better Better     `json:"better"`
	// Margin is in rates of a ratio. Of a mean the Ratio alone counts: 1.05 is a mean
	// that is 5 % higher where lower is better, and 5 % lower where higher is.
	Margin Margin `json:"margin"`
	// Share is the metric's part of the capital of evidence, in (0, 1). Errors and
	// latency have what the shares of all custom metrics leave.
	Share float64 `json:"share"`
}

// CustomShare is the part of the evidence that the custom metrics have together,
// where a plan does not say another.
const CustomShare = 0.2

// RateMargin is the margin of a ratio for "a difference in the rate below points does
// not matter", with points in (0, 1). The rate of a custom metric may be high, where a
// multiple of it would be wide; so it has no multiple. See ErrorMargin for the tolerance.
func RateMargin(points float64) Margin {
	return Margin{
		Regression: Allowance{1, math.Min(points/5, 0.001)},
		Promotion:  Allowance{1, points},
	}
}

// MeanMargin is the margin of a mean for "a relative difference below share does not
// matter", with share in (0, 1). Harm begins at a fifth of it.
func MeanMargin(share float64) Margin {
	return Margin{Regression: Allowance{1 + share/5, 0}, Promotion: Allowance{1 + share, 0}}
}

// customFaults says what is wrong with the custom metrics.
func (s Settings) customFaults() []error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fault.Errorf(fault.Invalid, format, args...))
		}
	}
	sum := 0.0
	for i, m := range s.Custom {
		named := func(o CustomMetric) bool { return o.Name == m.Name }
		check(m.Name != "" && !slices.ContainsFunc(s.Custom[:i], named), "the custom metric %q needs a name of its own", m.Name)
		check(m.Kind == MeanMetric && (m.Better == LowerIsBetter || m.Better == HigherIsBetter) ||
			m.Kind == RatioMetric && m.Better == LowerIsBetter,
			"the custom metric %q is neither a ratio of bad events nor a mean with a direction", m.Name)
		check(m.Share > 0 && m.Share < 1, "the share of the custom metric %q is %v, but must be between 0 and 1", m.Name, m.Share)
		check(m.sound(), "the margins of the custom metric %q do not go together", m.Name)
		sum += m.Share
	}
	check(sum < 1, "the shares of the custom metrics add up to %v, but must leave something for errors and latency", sum)
	return faults
}

// sound tells whether the promotion margin is wider than the tolerance.
func (m CustomMetric) sound() bool {
	r, p := m.Margin.Regression, m.Margin.Promotion
	for _, x := range []float64{r.Ratio, r.Add, p.Ratio, p.Add} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	if m.Kind == RatioMetric {
		return r.Ratio >= 1 && p.Ratio >= r.Ratio && r.Add >= 0 && p.Add > r.Add && p.Add < 1
	}
	return r.Ratio >= 1 && p.Ratio > r.Ratio && (m.Better == LowerIsBetter || p.Ratio < 2)
}

// builtinShare is the part of the evidence that errors and latency have together.
func (s Settings) builtinShare() float64 {
	share := 1.0
	for _, m := range s.Custom {
		share -= m.Share
	}
	return share
}

// customNoise is how the custom metric behaves where nothing is wrong.
func (c Calibration) customNoise(m CustomMetric) Noise {
	for _, n := range c.Custom {
		if n.Name == m.Name {
			return n.Noise
		}
	}
	if m.Kind == MeanMetric {
		return meanPrior.noise(0, 0)
	}
	return ratioPrior.noise(ratioPrior.rate, ratioEvents)
}

// CustomNoise is the noise of a custom metric.
type CustomNoise struct {
	Name  string `json:"name"`
	Noise Noise  `json:"noise"`
}

// ratioEvents is how many bad events the assumed rate of a ratio weighs as: next to none.
// As one event it would stay a part of what stable is believed to have while its counts
// are forgotten, and make a high rate look lower than it is: in simulation a healthy
// third of bad events reached an evidence of 20 in 59 of 200 runs, and in 8 with this.
const ratioEvents = 0.02

// What is assumed of custom metrics without history. The rate of a ratio may be
// anything: a hundredth is where the three parts of the gamma prior (predict.go) cover
// the most. What disturbs a mean beyond sampling is little: 10 % per instance and minute.
var (
	ratioPrior = prior{rate: 0.01, tau2: 0.06, inflation: 2, sigma2: 0.01}
	meanPrior  = prior{tau2: 0.01, inflation: 2, sigma2: 0.001}
)
