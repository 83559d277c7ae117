package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// comparedMeans puts the means of both arms side by side.
func (m MetricVerdict) comparedMeans() string {
	canary, stable := quantities(m.Canary.Mean, m.Stable.Mean)
	return spoken(m.Name) + " " + canary + " against " + stable
}

// meanParagraph says a mean to an engineer, with all the numbers, in its own units.
func (m MetricVerdict) meanParagraph(watching bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: canary %s (%d values with a standard deviation of %s, 95 %% between %s and %s), stable %s (%d values, %s).",
		title(spoken(m.Name)), quantity(m.Canary.Mean), m.Canary.Requests, quantity(m.Canary.Deviation),
		quantity(m.Canary.Interval.Low), quantity(m.Canary.Interval.High),
		quantity(m.Stable.Mean), m.Stable.Requests, quantity(m.Stable.Deviation))
	if m.Ratio != nil {
		fmt.Fprintf(&b, " The ratio is between %s× and %s×.", number(m.Ratio.Low), number(m.Ratio.High))
	}
	side := "above"
	if m.Better == HigherIsBetter {
		side = "below"
	}
	fmt.Fprintf(&b, " Harm begins %s %s (with %s for differences between instances)", side, quantity(m.Tolerated), percent(m.InstanceAllowance-1))
	if !watching {
		fmt.Fprintf(&b, ", the promotion margin is %s", quantity(m.Margin))
	}
	return b.String() + m.weights(watching) + "."
}

// events are what a metric counts.
func (m MetricVerdict) events() string {
	if m.Kind == RatioMetric {
		return "events"
	}
	return "requests"
}

// quantity writes a value in the units of its metric, with three digits or more.
func quantity(x float64) string { return fixed(x, digits(x)) }

// quantities writes two values with as many digits behind the point as either needs.
func quantities(a, b float64) (string, string) {
	n := max(digits(a), digits(b))
	return fixed(a, n), fixed(b, n)
}

// digits is how many digits behind the point three significant ones need; −1 where the
// value is too small or too large to be written out.
func digits(x float64) int {
	switch a := math.Abs(x); {
	case a == 0 || a >= 100 && a < 1e9:
		return 0
	case a >= 1e9 || a < 1e-6:
		return -1
	default:
		return 2 - int(math.Floor(math.Log10(a)))
	}
}

func fixed(x float64, digits int) string {
	if a := math.Abs(x); digits < 0 || a >= 1e9 || a > 0 && a < 1e-6 {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}
