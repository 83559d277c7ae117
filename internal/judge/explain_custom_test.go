package judge

import (
	"strings"
	"testing"
)

// orders is a verdict about a mean.
func orders(canary, stable float64) MetricVerdict {
	return MetricVerdict{
		Name: "order-value", Kind: MeanMetric, Better: HigherIsBetter,
		Canary: ArmVerdict{Requests: 900, Mean: canary, Deviation: 30, Interval: Interval{canary - 2, canary + 2}},
		Stable: ArmVerdict{Requests: 1800, Mean: stable, Deviation: 31, Interval: Interval{stable - 1, stable + 1}},
		Ratio:  &Interval{0.84, 0.99}, Evidence: 1e4, Share: 0.1, Proof: -2, Tolerated: 43.2, Margin: 42.75, InstanceAllowance: 1.04,
	}
}

func TestAMeanIsToldInItsOwnUnits(t *testing.T) {
	v := errorsVerdict(Fail, Worse)
	v.Metrics = append(v.Metrics, orders(41.2, 45))
	if want := "The new version is worse and goes back: order value 41.2 against 45.0."; v.Sentence() != want {
		t.Errorf("the sentence is %s", v.Sentence())
	}
	for _, want := range []string{
		"Order value: canary 41.2 (900 values with a standard deviation of 30.0, 95 % between 39.2 and 43.2), stable 45.0 (1800 values, 31.0).",
		"Harm begins below 43.2 (with 4.00 % for differences between instances), the promotion margin is 42.8", "between 0.84× and 0.99×",
	} {
		if got := v.Paragraph(); !strings.Contains(got, want) {
			t.Errorf("the paragraph lacks %q:\n%s", want, got)
		}
	}
}

func TestAPassNamesEveryCustomMetric(t *testing.T) {
	v := errorsVerdict(Pass, NotWorse)
	v.Metrics = append(v.Metrics,
		MetricVerdict{Name: "latency > 250ms", Bound: 0.25, Canary: armVerdict(10, 1000), Stable: armVerdict(10, 1000)},
		MetricVerdict{Name: "latency > 1s", Bound: 1, Canary: armVerdict(1, 1000), Stable: armVerdict(1, 1000)},
		MetricVerdict{Name: "checkout-failures", Kind: RatioMetric, Canary: armVerdict(3, 200), Stable: armVerdict(4, 250)},
		orders(0.0512, 0.05))
	want := "The new version is not worse than the old one: errors 0.61 % against 0.21 %, requests slower than 250ms 1.00 % against 1.00 %, " +
		"checkout failures 1.50 % against 1.60 %, order value 0.0512 against 0.0500."
	if got := v.Sentence(); got != want {
		t.Errorf("the sentence is\n%s, want\n%s", got, want)
	}
}

func TestQuantitiesHaveThreeDigits(t *testing.T) {
	for want, x := range map[string]float64{
		"0": 0, "41.2": 41.2, "7.00": 7, "1234": 1234.4, "0.00123": 0.001234, "1.5e+12": 1.5e12, "3e-09": 3e-9,
	} {
		if got := quantity(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
	if a, b := quantities(0, 45); a != "0.0" || b != "45.0" {
		t.Errorf("%s against %s", a, b)
	}
}
