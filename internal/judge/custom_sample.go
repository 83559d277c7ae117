package judge

import "math"

// CustomSample is what both arms did of a custom metric in the interval of its Sample,
// as increments since the last sample that said something of the metric.
type CustomSample struct {
	Name string `json:"name"`
	// Missing says why the interval carries no evidence about this metric. The counts
	// are then ignored, and the other metrics are judged on.
	Missing string `json:"missing,omitempty"`
	Stable  Counts `json:"stable,omitzero"`
	Canary  Counts `json:"canary,omitzero"`
}

// Counts is one arm of a custom metric over one interval.
type Counts struct {
	// All is how many events there were, Bad how many of them were bad, of a ratio.
	All int64 `json:"all"`
	Bad int64 `json:"bad,omitempty"`
	// Sum and Squares are those of the observed values of a mean, in the units of the
	// metric; the values themselves are never negative.
	Sum     float64 `json:"sum,omitempty"`
	Squares float64 `json:"squares,omitempty"`
}

// custom is what the sample says of a custom metric; ok is false where it says nothing.
func (s *Sample) custom(name string) (c *CustomSample, ok bool) {
	for i := range s.Custom {
		if s.Custom[i].Name == name {
			return &s.Custom[i], true
		}
	}
	return nil, false
}

// broken says why c cannot be evidence about a metric of the kind, or nothing.
func (c *CustomSample) broken(kind MetricKind) string {
	if c.Missing != "" {
		return c.Missing
	}
	if why := c.Stable.Broken(kind); why != "" {
		return why
	}
	return c.Canary.Broken(kind)
}

const (
	mostSum   = 1e120 // of a sum or of squares in one sample
	sumsSlack = 1e-6  // what differences of large counters may lose
)

// Broken says why c cannot be counts of a metric of the kind, or nothing. A source asks
// before it hands counts out, because those that the judge refuses do not come again.
//
// It also finds sums that cannot belong together: by the inequality of Cauchy and
// Schwarz Sum² ≤ All·Squares, and for values that are never negative Squares ≤ Sum². A
// wrong counter in one of the three places would otherwise pass for certainty.
func (c Counts) Broken(kind MetricKind) string {
	switch {
	case c.All < 0 || c.Bad < 0:
		return "a counter ran backwards"
	case c.All > maxCount:
		return "the number of events is impossible"
	case kind == RatioMetric && c.Bad > c.All:
		return "there are more bad events than events"
	case kind == RatioMetric:
		return ""
	case !(c.Sum >= 0 && c.Squares >= 0):
		return "a counter ran backwards"
	case !(c.Sum <= mostSum && c.Squares <= mostSum):
		return "the sum or the squares are impossible"
	case c.Sum*c.Sum > float64(c.All)*c.Squares*(1+sumsSlack):
		return "the squares are too small for the sum and the count"
	case c.Squares > c.Sum*c.Sum*(1+sumsSlack):
		return "the squares are too large for the sum"
	}
	return ""
}

// sums are the moments of the values of one arm over a stretch.
type sums struct {
	N       float64 `json:"n"`
	Sum     float64 `json:"sum"`
	Squares float64 `json:"squares"`
}

func (s *sums) add(c Counts) {
	s.N += float64(c.All)
	s.Sum += c.Sum
	s.Squares += c.Squares
}

func (s sums) plus(o sums) sums { return sums{s.N + o.N, s.Sum + o.Sum, s.Squares + o.Squares} }

// mean is 0 without events.
func (s sums) mean() float64 {
	if s.N == 0 {
		return 0
	}
	return s.Sum / s.N
}

// smallestValue is the mean below which all values count as zero.
const smallestValue = 1e-50

// relativeVariance is the variance of the values over the square of their mean, an unbiased
// estimate as far as the variance goes; 0 where there is nothing to tell.
func (s sums) relativeVariance() float64 {
	m := s.mean()
	if s.N < 2 || m < smallestValue {
		return 0
	}
	return math.Max(0, s.Squares/s.N/m/m-1) * s.N / (s.N - 1)
}

// deviation is the standard deviation of the values.
func (s sums) deviation() float64 { return s.mean() * math.Sqrt(s.relativeVariance()) }
