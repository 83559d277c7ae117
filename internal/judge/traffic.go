package judge

import "math"

// A canary that cannot even accept connections has no requests to count where the
// metrics are its own. Then the numbers look fine; that they are few is the sign.

// noTraffic is the log of the chance below which too few canary requests mean that
// the traffic does not arrive.
const noTraffic = 13.8 // −ln 10⁻⁶

// watchTraffic compares the canary's requests with what its weight promises.
func (st *state) watchTraffic(s Sample) {
	if s.Weight > 0 && s.Weight < 1 {
		st.Expected += float64(s.Stable.Requests) * s.Weight / (1 - s.Weight)
	}
	st.Got += float64(s.Canary.Requests)
	if st.Got >= st.Expected/2 {
		st.Expected, st.Got = 0, 0
	}
}

// starved tells whether P(Poisson(Expected/2) ≤ Got) is below 10⁻⁶, by Chernoff's bound.
func (st *state) starved() bool {
	mean := st.Expected / 2
	if st.Got >= mean {
		return false
	}
	bound := mean - st.Got
	if st.Got > 0 {
		bound += st.Got * math.Log(st.Got/mean)
	}
	return bound > noTraffic
}
