package judge

import (
	"math"
	"time"
)

// An arm that cannot even accept connections has no requests to count where the
// metrics are its own. Then the numbers look fine; that they are few is the sign.

const (
	// noTraffic is the log of the chance below which too few requests mean that the
	// traffic does not arrive.
	noTraffic = 13.8 // −ln 10⁻⁶
	// trafficHalfLife is how long a request speaks for the traffic of now, in seconds.
	trafficHalfLife = 120.0
)

// traffic is how the requests of lately fell to the arms.
type traffic struct {
	// All are the requests of both arms, Canary those of the canary.
	All    float64 `json:"all"`
	Canary float64 `json:"canary"`
	// Least and Most are the canary's requests if it, or stable, got only half of the
	// share that the weight promises.
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
	// Alone is how unlikely it is, in nats, that so many requests of the canary came
	// since stable's last one, if stable gets half of its share.
	Alone float64 `json:"alone"`
	// Silent is the time since either arm had a request, in seconds.
	Silent float64 `json:"silent"`
}

// watch takes in a sample that spans so many seconds. A weight of 0 or 1 promises
// nothing to compare.
func (t *traffic) watch(s Sample, seconds float64) {
	canary := float64(s.Canary.Requests)
	all := canary + float64(s.Stable.Requests)
	t.Silent += seconds
	if all > 0 {
		t.Silent = 0
	}
	keep := math.Exp2(-seconds / trafficHalfLife)
	for _, x := range []*float64{&t.All, &t.Canary, &t.Least, &t.Most} {
		*x *= keep
	}
	if s.Weight <= 0 || s.Weight >= 1 {
		return
	}
	t.All += all
	t.Canary += canary
	t.Least += all * s.Weight / 2
	t.Most += all * (1 + s.Weight) / 2
	t.Alone -= canary * math.Log((1+s.Weight)/2)
	if s.Stable.Requests > 0 {
		t.Alone = 0
	}
}

// canaryStarved tells that the canary gets less than half of its share.
func (t *traffic) canaryStarved() bool { return t.Canary < t.Least && t.unlikely(t.Least) }

// stableStarved tells that stable gets less than half of its share.
func (t *traffic) stableStarved() bool {
	return t.Alone > noTraffic || t.Canary > t.Most && t.unlikely(t.Most)
}

// unlikely tells whether the canary's requests would be one chance in a million if
// mean were expected of all: the Chernoff bound of a binomial count.
func (t *traffic) unlikely(mean float64) bool {
	got, expected := t.Canary/t.All, mean/t.All
	divergence := 0.0
	if got > 0 {
		divergence += got * math.Log(got/expected)
	}
	if got < 1 {
		divergence += (1 - got) * math.Log((1-got)/(1-expected))
	}
	return t.All*divergence > noTraffic
}

// absent says which traffic is missing, or nothing. A service that has requests at a
// rate, in requests per second (0 if unknown), must not be silent for long.
func (t *traffic) absent(rate float64, patience time.Duration) string {
	long := patience.Seconds()
	if rate > 0 {
		long = math.Max(long, noTraffic/rate)
	}
	switch {
	case t.canaryStarved():
		return "the canary gets less than half of the requests that its weight promises"
	case t.stableStarved():
		return "the running version gets less than half of the requests that its weight promises"
	case t.Silent > long:
		return "neither version has had a request for " + duration(t.Silent).Round(time.Second).String()
	}
	return ""
}
