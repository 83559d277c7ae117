package judge

import (
	"math"
	"testing"
)

// lastingTrack has ten instances in each arm, told apart, and has closed blocks of a
// minute in which the canary had so many times stable's errors.
func lastingTrack(times float64, blocks int) *track {
	t := testTrack(0.1, 0.01)
	t.CanaryInstances, t.StableInstances, t.Told = 10, 10, true
	for i := range blocks {
		t.fold(float64(60*i), float64(60*i+60), counts(40*times, 20000, 40, 20000), 0.5)
	}
	return t
}

func TestALastingDifferenceIsLearnedFromTheBlocks(t *testing.T) {
	first := math.Exp(grantedAtOnce * math.Sqrt(0.01*0.2))
	most := math.Exp(2 * math.Sqrt(0.01*0.2))
	for _, c := range []struct {
		what       string
		times      float64
		blocks     int
		least, top float64
	}{
		{"a little is granted before anything is known", 1.2, 0, first, first},
		{"a like canary is granted no more", 1, 60, first, first},
		{"a better one is not held to its own rate", 0.8, 60, first, first},
		{"a difference that lasts is granted little by little", 1.25, 30, first + 0.001, most - 0.001},
		{"never more than instances may differ by", 3, 60, most - 1e-9, most + 1e-9},
	} {
		if got := lastingTrack(c.times, c.blocks).instanceAllowance(); got < c.least || got > c.top {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestAllIsGrantedWhereInstancesCannotBeToldApart(t *testing.T) {
	m := lastingTrack(1, 3)
	m.Told = false
	near(t, "the allowance", m.instanceAllowance(), math.Exp(2*math.Sqrt(0.01*0.2)))
}
