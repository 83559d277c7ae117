// Package metric reads samples: what the stable and the canary arm of a target
// did since the last look, from the place that counts it (Fairway's router,
// Prometheus, …).
//
// A source says when it has nothing. A source that is down, empty, stale, not a
// number, without one of the arms, or counting backwards gives a sample whose
// Missing names the reason; it never invents a zero. What the counts mean for
// the release is not decided here but in package judge.
package metric

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// Source gives samples of one target. It is not safe for concurrent use.
type Source interface {
	// Sample returns what both arms did since the cursor, and the cursor to go on
	// from. A nil cursor starts: the first sample is then empty and carries
	// Missing "first look". The cursor is opaque JSON that the caller keeps, so a
	// second worker goes on exactly where the first one stopped. An error means
	// that the source is wrongly configured; trouble in the world is a Missing.
	Sample(ctx context.Context, ask Ask, cursor []byte) (judge.Sample, []byte, error)
}

// Ask names what to compare.
type Ask struct {
	// Service, Environment and Region name the target.
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Region      string `json:"region,omitempty"`
	// Stable and Canary are the revisions of the two arms, by their IDs.
	Stable string `json:"stable"`
	Canary string `json:"canary"`
	// Weight is the canary's share of traffic in force, in [0, 1]; it is copied into the sample.
	Weight float64 `json:"weight"`
	// WarmUp is how long an instance counts as cold for latency.
	WarmUp time.Duration `json:"warmUp"`
	// Now is the instant of the look.
	Now time.Time `json:"now"`
}

// Historian is the optional ability of a source to tell the stable arm's past,
// per instance in blocks of one minute, which the judge uses to calibrate.
type Historian interface {
	History(ctx context.Context, ask Ask, span time.Duration) (judge.History, error)
}
