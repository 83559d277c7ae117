package rival

import "time"

// argo is a background analysis of Argo Rollouts: every interval each metric is
// measured, and a measurement whose success condition does not hold is a failure. More
// than failureLimit failures of one metric end the rollout; so do more than four
// measurements in a row that could not be made. A result that is not a number is a
// failure, because no condition holds for it.
//
//	https://argoproj.github.io/argo-rollouts/features/analysis/
//	https://github.com/argoproj/argo-rollouts/blob/master/analysis/analysis.go
//	https://github.com/argoproj/argo-rollouts/blob/master/utils/evaluate/evaluate.go
type argo struct {
	timer
	success      float64
	slowest      float64 // seconds; 0 leaves the latency out
	failureLimit int
	// lookback is the range of the query; 0 is irate, which takes the last two samples.
	lookback                 time.Duration
	failures, slow, unknowns int
}

// consecutiveErrorLimit is Argo's default.
const consecutiveErrorLimit = 4

func (a *argo) look(now time.Duration, w *window) opinion {
	if !a.due(now) {
		return quiet
	}
	least := 1
	if a.lookback > 0 {
		least = w.least()
	}
	s, scrapes := w.over(a.lookback, canaryOf)
	if scrapes < least {
		if a.unknowns++; a.unknowns > consecutiveErrorLimit {
			return fail
		}
		return bad
	}
	a.unknowns = 0
	failed := a.failures + a.slow
	if !(s.success() >= a.success) {
		a.failures++
	}
	if a.slowest > 0 && !(s.percentile99() <= a.slowest) {
		a.slow++
	}
	switch {
	case a.failures > a.failureLimit || a.slow > a.failureLimit:
		return fail
	case a.failures+a.slow > failed:
		return bad
	}
	return good
}
