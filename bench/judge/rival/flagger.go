package rival

import "time"

// flagger is Flagger's rule: at every interval the last minute's success rate and
// 99th percentile of the canary must be within their thresholds. A check that fails,
// or finds no values, halts the advancement and is counted for good; once threshold
// checks have failed, the next interval takes the release back.
//
//	https://docs.flagger.app/usage/how-it-works
//	https://docs.flagger.app/usage/metrics
//	https://github.com/fluxcd/flagger/blob/main/pkg/controller/scheduler.go
//	https://github.com/fluxcd/flagger/blob/main/pkg/controller/scheduler_metrics.go
type flagger struct {
	timer
	threshold int
	success   float64
	slowest   float64 // seconds
	failed    int
}

func newFlagger(threshold int) *flagger {
	return &flagger{timer: timer{time.Minute, time.Minute}, threshold: threshold, success: 0.99, slowest: 0.5}
}

func (f *flagger) look(now time.Duration, w *window) opinion {
	if !f.due(now) {
		return quiet
	}
	if f.failed >= f.threshold {
		return fail
	}
	s, scrapes := w.over(time.Minute, canaryOf)
	// A comparison with NaN is false: no requests are a failed check.
	if scrapes < w.least() || !(s.success() >= f.success) || !(s.percentile99() <= f.slowest) {
		f.failed++
		return bad
	}
	return good
}
