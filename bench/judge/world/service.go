package world

import (
	"strconv"
	"time"
)

// Service is what is released.
type Service struct {
	Name string
	// Rate is its usual number of requests per second, Instances how many serve them.
	Rate      float64
	Instances int
	// Errors is the usual share of failed requests.
	Errors float64
	// Median and Spread make the latency: lognormal, Spread being the standard
	// deviation of the logarithm.
	Median time.Duration
	Spread float64
	// SLO is the promised share of good requests; one slower than SlowerThan is bad.
	SLO        float64
	SlowerThan time.Duration
	// A new instance is twice as slow at first, and by 1/e less so with each Cold.
	Cold time.Duration
	// WarmUp is how long the latency of a new instance is left out of Warm counts.
	WarmUp time.Duration
}

// Services are those of the benchmark: from one that hardly anybody uses to a busy
// one. Half of their answers take less than 80 ms, 99 % less than 323 ms.
var Services = []Service{
	service(0.1, 2), service(5, 3), service(200, 10), service(10_000, 60),
}

func service(rate float64, instances int) Service {
	return Service{
		Name: strconv.FormatFloat(rate, 'f', -1, 64) + "/s", Rate: rate, Instances: instances, Errors: 0.002,
		Median: 80 * time.Millisecond, Spread: 0.6, SLO: 0.995, SlowerThan: 500 * time.Millisecond, Cold: 20 * time.Second, WarmUp: 90 * time.Second,
	}
}

// Bounds are those of the latency histograms, in seconds: the ones that Istio has.
var Bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

const buckets = 12
