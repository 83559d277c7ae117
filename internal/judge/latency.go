package judge

// Where no history tells the latency thresholds, the judge chooses them from what
// stable shows at the beginning of the release.

const (
	earlyEnough   = 1000  // requests from which thresholds are chosen
	earlyLeast    = 100   // … and from which, once earlyPatience is over
	earlyPatience = 120.0 // seconds
)

// learnLatency collects stable's first latencies, where the calibration has no
// thresholds, and adds the latency metrics once there are enough. Only the stable
// arm is asked, so the choice cannot favour or accuse the canary.
func (st *state) learnLatency(s Sample, seconds float64) {
	if st.Unfit || len(st.Calibration.Latency) > 0 || s.Stable.Latency.Empty() {
		return
	}
	st.Early.add(s.Stable.Latency)
	st.EarlySeconds += seconds
	n := st.Early.Total()
	if n < earlyEnough && (n < earlyLeast || st.EarlySeconds < earlyPatience) {
		return
	}
	st.Calibration.Latency = thresholdsNow(st.Early)
	st.Unfit = len(st.Calibration.Latency) == 0
	st.Early = Histogram{}
	st.addLatency()
}

// addLatency begins the latency metrics. They get their share of the capital that
// the errors have at this moment: the sum stays what it was, and so an e-process.
func (st *state) addLatency() {
	n := len(st.Calibration.Latency)
	if n == 0 {
		return
	}
	errors := st.Tracks[0]
	capital := errors.Harm.evidence() * (1 - st.Settings.ErrorShare) / float64(n)
	errors.Capital = st.Settings.ErrorShare
	for _, th := range st.Calibration.Latency {
		t := latencyTrack(&st.Settings, &st.Calibration, th)
		t.Capital = capital
		st.Tracks = append(st.Tracks, t)
	}
}

// awaitsLatency tells whether stable has latencies that are too few to judge by.
func (st *state) awaitsLatency() bool { return len(st.Calibration.Latency) == 0 && !st.Early.Empty() }
