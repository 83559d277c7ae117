package judge

import (
	"testing"
	"time"
)

func TestX(t *testing.T) {
	for _, rate := range []float64{0.1, 5, 200, 10000} {
		for _, w := range []float64{0.01, 0.1, 0.5} {
			s := DefaultSettings()
			b := time.Now()
			x := SmallestRegression(s, Calibrate(History{}, s, rate, 1), Step{Rate: rate, Weight: w, Errors: 0.002, Canary: 3, Stable: 6, For: time.Hour})
			t.Log(rate, w, x, time.Since(b))
		}
	}
	s := demoSettings()
	b := time.Now()
	x := SmallestRegression(s, Calibrate(History{}, s, 200, 1), Step{Rate: 200, Weight: .2, Errors: 0.002, Canary: 1, Stable: 1, For: 20 * time.Second})
	t.Log("demo", x, time.Since(b))
	x = SmallestRegression(s, Calibrate(History{}, s, 200, 1), Step{Rate: 200, Weight: .5, Errors: 0.002, Canary: 1, Stable: 1, For: time.Hour})
	t.Log("demo", x, time.Since(b))
}
