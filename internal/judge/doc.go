// Package judge decides, from what two arms did at the same time, whether a canary
// is worse than the stable revision, and how much traffic it may have next.
//
// It is pure: no clock, no input or output, and randomness only from a given seed.
// The same calibration and the same samples give the same verdict, so a second
// worker, a replay and an audit agree. Where the samples come from is the matter
// of package metric, what is done about a verdict that of package stage.
//
// The story:
//
//	History ──Calibrate──► Calibration          how noisy is the service?
//	                            │
//	Settings ───────────────► New ──► Judge
//	                                    ▲ Observe(Sample)   every second or minute
//	                                    ▼
//	                                 Verdict    pass, fail or hold, and why
//	                                    │
//	                                 Sizing.Next ──► the next weight
//
// Every metric is a count of bad events among requests: errors, and answers slower
// than up to three latency thresholds. In each block of time the stable arm tells
// the rate, and a negative-binomial law tells what the canary may show if it is not
// materially worse (predict.go). Two bets run against each other: one gains where
// the canary is worse than tolerated (regression.go), one where it is not worse by
// the margin of a promotion (noninferiority.go). Both are e-processes: they may be
// read after every sample without paying for it, and gaps in the data cost nothing.
// A team's own metrics are judged beside them: ratios as the errors are, means by the
// ratio of both arms' block means (custom.go, mean.go).
// What is missing is never taken for zero: it holds the release and changes no
// evidence.
//
// Two margins on purpose: harm is looked for beyond a tight tolerance, and a pass
// needs proof against a wide margin. A difference between the two may go either way.
package judge
