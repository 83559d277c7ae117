// Package metric reads samples: what the stable and the canary arm of a target
// did since the last look, from the place that counts it (Fairway's router,
// Prometheus, …).
//
// A source says when it has nothing. A source that is down, empty, stale, not a
// number, without one of the arms, or counting backwards gives a sample whose
// Missing names the reason; it never invents a zero. What the counts mean for
// the release is not decided here but in package judge.
//
//	source, err := metric.Open("prometheus", config, metric.Deps{})
//	for each look {
//		sample, cursor, err = source.Sample(ctx, ask, cursor)
//	}
package metric

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
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
	// StableBackend and CanaryBackend are what the arms' traffic goes to, as the platform
	// calls it ("NAMESPACE/SERVICE" or just a name); empty where the platform has no name.
	StableBackend string `json:"stableBackend,omitempty"`
	CanaryBackend string `json:"canaryBackend,omitempty"`
	// StableInstances and CanaryInstances are how many instances of the arms serve, as the
	// platform sees it; 0 is unknown. Only a source that cannot tell them apart needs it.
	StableInstances int `json:"stableInstances,omitempty"`
	CanaryInstances int `json:"canaryInstances,omitempty"`
	// Weight is the canary's share of traffic in force, in [0, 1]; it is copied into the sample.
	Weight float64 `json:"weight"`
	// WarmUp is how long an instance counts as cold for latency.
	WarmUp time.Duration `json:"warmUp"`
	// Now is the instant of the look.
	Now time.Time `json:"now"`
	// Custom are the metrics to count beside requests, errors and latency. A source that
	// cannot says so in the sample.
	Custom []CustomMetric `json:"custom,omitempty"`
}

// Historian is the optional ability of a source to tell the stable arm's past,
// per instance in blocks of one minute, which the judge uses to calibrate.
type Historian interface {
	History(ctx context.Context, ask Ask, span time.Duration) (judge.History, error)
}

// Prober is the optional ability of a source to tell now whether it can answer
// for the stable arm: what it asks is reachable, and its queries name something
// that is counted. The error says what is wrong, with a hint. A stable arm that
// has had no traffic yet is no fault.
type Prober interface {
	Probe(ctx context.Context, ask Ask) error
}

// Paced is the optional ability of a source to say how often it has something
// new. Looking more often is harmless, but every other look is then Missing.
type Paced interface {
	Interval() time.Duration
}

// Asker is the optional ability of a source to tell what it asks, so that a verdict can
// be stored with it. It connects to nothing, and tells neither addresses nor credentials.
type Asker interface {
	Queries(ask Ask) []Query
}

// Query is what a source asks about one arm, as it asks it: all $words are replaced. The
// range is left out, because each look reads as far back as the last one.
type Query struct {
	// Metric is "requests", "errors", "histogram", or a counter of a custom metric such as
	// "order-value.sum".
	Metric string `json:"metric"`
	// Arm is "stable" or "canary".
	Arm string `json:"arm"`
	// Query is in the language of the source; of one without a language it says in words
	// what is read.
	Query string `json:"query"`
}

// Target is the key of the target in the router: "service/environment", or
// "service/environment/region".
func (a Ask) Target() string {
	t := a.Service + "/" + a.Environment
	if a.Region != "" {
		t += "/" + a.Region
	}
	return t
}

// arms lists the revisions in the order in which faults are reported.
func (a Ask) arms() []armAsk {
	return []armAsk{{stableArm, a.Stable, a.StableBackend}, {canaryArm, a.Canary, a.CanaryBackend}}
}

const (
	stableArm = "stable"
	canaryArm = "canary"
)

type armAsk struct{ arm, revision, backend string }

// validate refuses what no source can compare.
func (a Ask) validate() error {
	switch {
	case a.Service == "" || a.Environment == "":
		return fault.Errorf(fault.Invalid, "a sample needs a service and an environment")
	case a.Stable != "" && a.Stable == a.Canary:
		return fault.Errorf(fault.Invalid, "stable and canary are both revision %s; there is nothing to compare", a.Stable)
	case a.WarmUp < 0:
		return fault.Errorf(fault.Invalid, "the warm-up is negative")
	}
	return nil
}

// without says which arm has no revision to look for, or nothing.
func (a Ask) without() string {
	for _, arm := range a.arms() {
		if arm.revision == "" {
			return fmt.Sprintf("there is no %s revision", arm.arm)
		}
	}
	return ""
}

// missing is a sample without evidence.
func (a Ask) missing(at time.Time, reason string) judge.Sample {
	return judge.Sample{At: at, Weight: a.Weight, Missing: reason}
}

// What the first look says, and the first one after a position that is of no use.
const (
	firstLook = "first look"
	lostPlace = "first look again: where the last look ended could not be read"
)
