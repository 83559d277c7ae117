package cli

import (
	"testing"
	"time"
)

func TestWhatAPlanSeesIsToldInPlainNumbers(t *testing.T) {
	for got, want := range map[string]string{
		slowdown(1.63, 12*time.Second):     "+163 % in 12s",
		slowdown(0.336, time.Minute):       "+34 % in 1m0s",
		rise(0.0031, time.Minute):          "+0.31 pp in 1m0s",
		rise(1, time.Minute):               "+100 pp in 1m0s",
		slowdown(0, time.Minute):           "nothing is seen",
		percent(0.05) + " " + percent(0.5): "5 % 50 %",
	} {
		if got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
}
