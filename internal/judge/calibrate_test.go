package judge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// pseudo is a fixed series that an independent implementation was given as well.
func pseudo(instances int) series {
	var s series
	x := uint64(12345)
	next := func() float64 {
		x = x*6364136223846793005 + 1442695040888963407
		return float64(x>>11) / (1 << 53)
	}
	for i := range instances {
		bad, all := make([]float64, 240), make([]float64, 240)
		for m := range bad {
			all[m] = 1000 + math.Floor(200*next())
			bad[m] = math.Floor(all[m] * 0.004 * (1 + float64(i)*0.2) * next() * 2.2)
		}
		s.bad, s.all = append(s.bad, bad), append(s.all, all)
	}
	return s
}

func TestVariancesMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		instances          int
		rate, tau2, sigma2 float64
	}{
		{2, 0.004300874508, 0.312891660717, 0.0229344314284},
		{3, 0.00478992875807, 0.34219031027, 0.0281436269894},
	} {
		n := calibrated(pseudo(v.instances), errorPrior, DefaultSettings(), 1)
		near(t, "the rate", n.Rate, v.rate)
		near(t, "τ²", n.Tau2, v.tau2)
		near(t, "σ²", n.Sigma2, v.sigma2)
	}
}

// history makes the past of instances with an error rate of 0.4 % whose log rate
// varies by spread from minute to minute.
func history(instances, minutes int, spread float64) History {
	random := rand.New(rand.NewPCG(5, 6))
	h := History{Bounds: []float64{0.05, 0.1, 0.25, 0.5, 1}}
	for range instances {
		in := InstanceHistory{}
		for range minutes {
			rate := 0.004 * math.Exp(spread*random.NormFloat64())
			var bad int64
			for range 1000 {
				if random.Float64() < rate {
					bad++
				}
			}
			in.Requests = append(in.Requests, 1000)
			in.Errors = append(in.Errors, bad)
			in.Latency = append(in.Latency, []int64{300, 400, 285, 12, 2, 1})
		}
		h.Instances = append(h.Instances, in)
	}
	return h
}

func TestCalibrationTellsANoisyServiceFromAQuietOne(t *testing.T) {
	s := DefaultSettings()
	quiet := Calibrate(history(6, 180, 0), s, 100, 1)
	noisy := Calibrate(history(6, 180, 1), s, 100, 1)
	priors := Calibrate(History{}, s, 100, 1)
	if !(quiet.Errors.Tau2 < priors.Errors.Tau2/2 && noisy.Errors.Tau2 > 4*quiet.Errors.Tau2) {
		t.Errorf("τ² is %v for a quiet service, %v for a noisy one, %v by prior", quiet.Errors.Tau2, noisy.Errors.Tau2, priors.Errors.Tau2)
	}
	if quiet.Minutes != 180 || quiet.Audit.Canaries == 0 || quiet.Audit.Highest >= auditEvidence {
		t.Errorf("the calibration is %+v", quiet)
	}
	if again := Calibrate(history(6, 180, 0), s, 100, 1); asJSON(t, again) != asJSON(t, quiet) {
		t.Error("the same history gave another calibration")
	}
}

func TestShortBlocksAreJudgedWithMoreNoise(t *testing.T) {
	s := DefaultSettings()
	minute := Calibrate(history(4, 120, 0.5), s, 100, 1).Errors
	s.Block = 15 * time.Second
	if quarter := Calibrate(history(4, 120, 0.5), s, 100, 1).Errors; math.Abs(quarter.Tau2-4*minute.Tau2) > 1e-9 {
		t.Errorf("τ² is %v for a block of a minute, %v for a quarter of it", minute.Tau2, quarter.Tau2)
	}
}

func TestTheAuditTempersAServiceWithLongBursts(t *testing.T) {
	h := history(4, 180, 0)
	for m := 60; m < 75; m++ { // one instance fails often for a quarter of an hour
		h.Instances[2].Errors[m] = 400
	}
	c := Calibrate(h, DefaultSettings(), 100, 1)
	if c.Audit.Tempered == 0 || c.Errors.TauFactor <= 1 || c.Errors.ClipFactor >= 1 {
		t.Errorf("the audit left %+v, errors %+v", c.Audit, c.Errors)
	}
}

func TestABrokenHistoryGivesPriors(t *testing.T) {
	h := history(3, 130, 0)
	h.Instances[1].Errors[7] = 5000
	if err := h.Validate(); err == nil {
		t.Error("more errors than requests were accepted")
	}
	h.Instances[1].Errors = h.Instances[1].Errors[:100]
	if err := h.Validate(); err == nil {
		t.Error("instances of different lengths were accepted")
	}
	c := Calibrate(h, DefaultSettings(), 10, 1)
	if asJSON(t, c) != asJSON(t, Calibrate(History{}, DefaultSettings(), 10, 1)) {
		t.Errorf("the calibration is %+v", c)
	}
}

func TestThresholdsAreNearTheTargets(t *testing.T) {
	bounds := []float64{0.025, 0.05, 0.1, 0.25, 0.5, 1}
	for _, v := range []struct {
		name   string
		counts []int64
		want   []float64
	}{
		{"an ordinary service", []int64{2000, 3000, 2000, 2900, 90, 8, 2}, []float64{0.1, 0.25, 0.5}},
		{"too few events for the rare targets", []int64{20, 30, 20, 27, 3, 0, 0}, []float64{0.1, 0.25}},
		{"one bucket for all", []int64{5000, 0, 0, 0, 0, 0, 0}, []float64{0.025}},
		{"everything slower than the last bound", []int64{0, 0, 0, 0, 0, 0, 900}, nil},
		{"nothing", []int64{0, 0, 0, 0, 0, 0, 0}, nil},
	} {
		var got []float64
		for _, th := range chooseThresholds(Histogram{Bounds: bounds, Counts: v.counts}, 3) {
			got = append(got, th.Bound)
			if th.Slope < smallestSlope || th.Slope > largestSlope {
				t.Errorf("%s: the slope at %v is %v", v.name, th.Bound, th.Slope)
			}
		}
		if asJSON(t, got) != asJSON(t, v.want) {
			t.Errorf("%s: the thresholds are %v, want %v", v.name, got, v.want)
		}
	}
	h := Histogram{Bounds: []float64{0.1, 0.2, 0.4}, Counts: []int64{9000, 600, 300, 100}}
	near(t, "the slope", slopeAt(h.Bounds, survivalOf(h), 10000, 2), math.Log(4)/math.Log(2))
}

// A service of three minutes has no two hours behind it, though they were asked for.
func TestMinutesWithoutDataAreNoPast(t *testing.T) {
	in := InstanceHistory{Requests: make([]int64, 120), Errors: make([]int64, 120)}
	h := History{Instances: []InstanceHistory{in}}
	if c := Calibrate(h, DefaultSettings(), 100, 1); c.Minutes != 0 || c.Errors != Calibrate(History{}, DefaultSettings(), 100, 1).Errors {
		t.Errorf("nothing is known of it, but %+v", c)
	}
	for m := 117; m < 120; m++ {
		in.Requests[m], in.Errors[m] = 6000, 30
	}
	if c := Calibrate(h, DefaultSettings(), 100, 1); c.Minutes != 3 || c.Errors.Rate < 0.0049 || c.Errors.Rate > 0.0051 {
		t.Errorf("three minutes give %+v", c)
	}
}
