package release

import (
	"math"

	"github.com/fairwayhq/fairway/internal/judge"
)

// confidence95 is the standard normal quantile of a two-sided 95 % interval.
const confidence95 = 1.959963984540054

// Interval is an estimate with its 95 % uncertainty.
type Interval struct {
	// Known is false where there is no data; the rest is then zero.
	Known bool
	Value float64
	Low   float64
	High  float64
	// Open says that so few observations allow no upper bound; High is then the
	// upper edge of the highest bucket that was seen.
	Open bool
}

// ErrorRate estimates the share of errors among requests. The interval is
// Wilson's score interval (Wilson 1927), which keeps its level with few requests
// and with none failed, where the usual one collapses to a point.
func ErrorRate(errors, requests int64) Interval {
	if requests <= 0 {
		return Interval{}
	}
	n, z2 := float64(requests), confidence95*confidence95
	p := min(max(float64(errors)/n, 0), 1)
	centre := (p + z2/(2*n)) / (1 + z2/n)
	half := confidence95 / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return Interval{Known: true, Value: p, Low: min(max(centre-half, 0), p), High: max(min(centre+half, 1), p)}
}

// Quantile estimates the q-quantile of the durations that the histogram counted,
// in seconds. The interval is the order-statistic one: the number of
// observations below the true quantile is binomial(n, q), so two ranks enclose
// it whatever the distribution is. A rank is known only up to its bucket, so Low
// is its bucket's lower edge and High its bucket's upper edge; the value is
// interpolated. Durations above the last bound count as the last bound.
func Quantile(h judge.Histogram, q float64) Interval {
	var n int64
	for _, c := range h.Counts {
		n += c
	}
	if n == 0 || len(h.Bounds) == 0 {
		return Interval{}
	}
	low := binomialQuantile(n, q, 0.025)
	high := binomialQuantile(n, q, 0.975) + 1
	i := Interval{Known: true, Value: valueAt(h, q*float64(n))}
	if low > 0 {
		i.Low, _ = bucketOf(h, low)
	}
	_, i.High = bucketOf(h, min(high, n))
	i.Open = high > n
	i.High = max(i.High, i.Value)
	i.Low = min(i.Low, i.Value)
	return i
}

// valueAt interpolates within the bucket that holds the rank, which may be a fraction.
func valueAt(h judge.Histogram, rank float64) float64 {
	var below float64
	for i, c := range h.Counts {
		above := below + float64(c)
		if c > 0 && above >= rank {
			lo, hi := edges(h, i)
			return lo + (hi-lo)*(rank-below)/float64(c)
		}
		below = above
	}
	return h.Bounds[len(h.Bounds)-1]
}

// bucketOf returns the edges of the bucket that holds the observation of the rank, counted from 1.
func bucketOf(h judge.Histogram, rank int64) (low, high float64) {
	var below int64
	for i, c := range h.Counts {
		below += c
		if below >= rank {
			return edges(h, i)
		}
	}
	return edges(h, len(h.Counts)-1)
}

func edges(h judge.Histogram, i int) (low, high float64) {
	last := len(h.Bounds) - 1
	if i > 0 {
		low = h.Bounds[min(i-1, last)]
	}
	return low, h.Bounds[min(i, last)]
}

// binomialQuantile returns the smallest k with P(X ≤ k) ≥ level for X
// binomial(n, q): exactly while the variance is small, by the normal
// approximation beyond, where it is right to less than a rank.
func binomialQuantile(n int64, q, level float64) int64 {
	mean, variance := float64(n)*q, float64(n)*q*(1-q)
	if variance > 100 {
		z := confidence95
		if level < 0.5 {
			z = -z
		}
		return min(max(int64(math.Ceil(mean+z*math.Sqrt(variance)-0.5)), 0), n)
	}
	if q > 0.5 {
		// Count from the other side, where the probabilities do not underflow:
		// P(X ≤ k) ≥ level is P(n-X ≤ n-k-1) ≤ 1-level.
		k := int64(0)
		for p, sum := math.Pow(q, float64(n)), 0.0; k < n; k++ {
			sum += p
			if sum > 1-level {
				break
			}
			p *= float64(n-k) / float64(k+1) * (1 - q) / q
		}
		return n - k
	}
	k := int64(0)
	for p, sum := math.Pow(1-q, float64(n)), 0.0; k < n; k++ {
		sum += p
		if sum >= level {
			break
		}
		p *= float64(n-k) / float64(k+1) * q / (1 - q)
	}
	return k
}
