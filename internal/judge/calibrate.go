package judge

import "math"

// Noise is how one metric behaves where nothing is wrong.
type Noise struct {
	// Rate is the stable rate; it weighs as Events bad events against what the
	// release itself shows.
	Rate   float64 `json:"rate"`
	Events float64 `json:"events"`
	// Tau2 is the variance of an instance's log rate between blocks of a minute,
	// raised where neighbouring minutes are alike; Sigma2 that between instances
	// which stays.
	Tau2   float64 `json:"tau2"`
	Sigma2 float64 `json:"sigma2"`
	// TauFactor and ClipFactor are what the audit had to add; 0 is 1.
	TauFactor  float64 `json:"tauFactor,omitempty"`
	ClipFactor float64 `json:"clipFactor,omitempty"`
}

func (n Noise) tauFactor() float64  { return orOne(n.TauFactor) }
func (n Noise) clipFactor() float64 { return orOne(n.ClipFactor) }

func orOne(x float64) float64 {
	if x == 0 {
		return 1
	}
	return x
}

// prior is what is assumed without history. tau2 is per minute, inflation the
// factor for neighbouring minutes.
type prior struct{ rate, tau2, inflation, sigma2 float64 }

var (
	errorPrior   = prior{rate: 0.001, tau2: 0.25, inflation: 2, sigma2: 0.0225}
	latencyPrior = prior{rate: 0.01, tau2: 0.06, inflation: 2, sigma2: 0.01}
)

const (
	historyEvents = 3  // a rate from history weighs as so many bad events
	guessEvents   = 1  // and one from the priors as so many
	earlyEvents   = 10 // above a threshold that is chosen from few requests
)

func (p prior) noise(rate, events float64) Noise {
	return Noise{Rate: rate, Events: events, Tau2: p.tau2 * p.inflation, Sigma2: p.sigma2}
}

// Calibration is what the judge knows about the service before a release begins.
// It is part of the release's record, so that a replay comes to the same verdict.
type Calibration struct {
	// RequestRate is the service's usual rate in requests per second; 0 is unknown.
	RequestRate float64 `json:"requestRate,omitempty"`
	// Minutes is how many minutes of the past are behind it; 0 means priors.
	Minutes int         `json:"minutes,omitempty"`
	Errors  Noise       `json:"errors"`
	Latency []Threshold `json:"latency,omitempty"`
	// ColdStart is how young instances behaved in earlier releases.
	ColdStart ColdStart `json:"coldStart,omitzero"`
	// Custom is the noise of custom metrics; for one that is not here there are priors.
	Custom []CustomNoise `json:"custom,omitempty"`
	Audit  Audit         `json:"audit,omitzero"`
}

// Calibrate learns from the stable's history; an empty or broken history gives
// priors. Without latency in it the thresholds are chosen by the judge from the
// stable arm's first samples. requestRate is the service's requests per second, 0 if
// unknown. The same arguments always give the same calibration.
func Calibrate(h History, s Settings, requestRate float64, seed uint64) Calibration {
	c := Calibration{RequestRate: requestRate, Errors: errorPrior.noise(errorPrior.rate, guessEvents)}
	if h.Validate() != nil || h.known() == 0 {
		return c
	}
	c.Minutes = h.known()
	errors := h.errors()
	errors.trims = true
	c.Errors = calibrated(errors, errorPrior, s, seed)
	for i, t := range chooseThresholds(h.latency(), historyEvents) {
		t.Noise = calibrated(h.slower(t.Bound), latencyPrior, s, seed+uint64(i)+1)
		c.Latency = append(c.Latency, t)
	}
	c.Custom = customNoises(h, s, seed)
	c.Audit = audit(h, s, &c, seed)
	return c
}

func calibrated(s series, p prior, set Settings, seed uint64) Noise {
	var bad, all float64
	for i := range s.all {
		for m := range s.all[i] {
			bad += s.bad[i][m]
			all += s.all[i][m]
		}
	}
	if all == 0 {
		return p.noise(p.rate, guessEvents)
	}
	n := p.noise((bad+0.5)/(all+1), historyEvents)
	if len(s.all) < 2 || s.minutes() < leastHistory {
		return n
	}
	n.Tau2, n.Sigma2 = variances(s, p, seed)
	// A shorter block averages less noise, or shares it with its neighbours; either
	// way its variance as an independent piece of evidence grows in proportion.
	n.Tau2 *= math.Max(1, blockMinute/set.Block.Seconds())
	return n
}

const blockMinute = 60.0 // seconds

// thresholdsNow chooses thresholds from what the stable arm of this release showed.
func thresholdsNow(h Histogram) []Threshold {
	total := float64(h.Total())
	chosen := chooseThresholds(h, earlyEvents)
	for i := range chosen {
		bad, _ := h.Above(chosen[i].Bound)
		chosen[i].Noise = latencyPrior.noise((float64(bad)+0.5)/(total+1), historyEvents)
	}
	return chosen
}
