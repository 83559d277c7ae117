package metric

import "math"

// unit is what a histogram of latencies is in, as it is configured; empty is seconds.
type unit string

const milliseconds unit = "milliseconds"

// known tells whether there is such a unit.
func (u unit) known() bool { return u == "" || u == "seconds" || u == milliseconds }

// seconds turns a bound into seconds. It divides, because 250/1000 is the number that
// "0.25" is read as, and 250*0.001 need not be.
func (u unit) seconds(bound float64) float64 {
	if u == milliseconds {
		return bound / 1000
	}
	return bound
}

// doublings is by how many factors of two a number in this unit is larger than the same
// time in seconds, to the next whole one.
func (u unit) doublings() float64 {
	if u == milliseconds {
		return math.Round(math.Log2(1000))
	}
	return 0
}
