package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestMoreTrafficAndTimeSeeSmallerHarm(t *testing.T) {
	s := DefaultSettings()
	see := func(rate, weight float64, d time.Duration) Sight {
		return SmallestRegression(s, Calibrate(History{}, s, rate, 1),
			Step{Rate: rate, Weight: weight, Errors: 0.002, Canary: 3, Stable: 6, For: d})
	}
	base := see(200, 0.1, 20*time.Minute)
	for name, better := range map[string]Sight{
		"traffic": see(2000, 0.1, 20*time.Minute), "weight": see(200, 0.5, 20*time.Minute), "time": see(200, 0.1, time.Hour),
	} {
		if !(better.Errors < base.Errors && better.Latency < base.Latency && better.Errors > 0 && better.Latency > 0) {
			t.Errorf("more %s sees %+v, less of it %+v", name, better, base)
		}
	}
	if base.ErrorsAfter <= 0 || base.ErrorsAfter > 20*time.Minute {
		t.Errorf("found after %v", base.ErrorsAfter)
	}
	if blind := see(0.1, 0.01, time.Minute); blind.Errors != 0 || blind.Latency != 0 {
		t.Errorf("six requests a minute cannot show anything, but %+v", blind)
	}
}

// The promise of 80 % is checked against simulated canaries with the noise that
// the judge assumes.
func TestTheSmallestRegressionIsFoundAboutAsOftenAsPromised(t *testing.T) {
	s := DefaultSettings()
	step := Step{Rate: 200, Weight: 0.2, Errors: 0.002, Canary: 3, Stable: 6, For: 10 * time.Minute}
	c := Calibrate(History{}, s, step.Rate, 1)
	sight := SmallestRegression(s, c, step)
	c.Errors.Rate = step.Errors
	const runs = 200
	found := 0
	for i := range uint64(runs) {
		source := rand.NewPCG(i, 3)
		track := errorTrack(&s, &c)
		track.rules.bare = true
		track.CanaryInstances, track.StableInstances = step.Canary, step.Stable
		shape := 1 / track.blockNoise()
		for m := range 10 {
			noise := distuv.Gamma{Alpha: shape, Beta: shape, Src: source}.Rand()
			n, b := 60*step.Rate*step.Weight, 60*step.Rate*(1-step.Weight)
			track.fold(60*float64(m), 60*float64(m+1), tally{
				CanaryBad: distuv.Poisson{Lambda: n * noise * (step.Errors + sight.Errors), Src: source}.Rand(), Canary: n,
				StableBad: distuv.Poisson{Lambda: b * step.Errors, Src: source}.Rand(), Stable: b,
			}, step.Weight)
			if s.ErrorShare*track.Harm.evidence()+healthy*(1-s.ErrorShare) >= 1/s.FalseAlarm {
				found++
				break
			}
		}
	}
	t.Logf("a rise of %.2f points was found in %d of %d", 100*sight.Errors, found, runs)
	if share := float64(found) / runs; share < 0.6 || share > 0.97 {
		t.Errorf("found in %v of the runs, promised 0.8", share)
	}
}

func BenchmarkSmallestRegression(b *testing.B) {
	s := DefaultSettings()
	c := Calibrate(History{}, s, 200, 1)
	for b.Loop() {
		SmallestRegression(s, c, Step{Rate: 200, Weight: 0.5, Errors: 0.002, Canary: 3, Stable: 6, For: time.Hour})
	}
}
