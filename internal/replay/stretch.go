package replay

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// Sampler cuts what both arms did from the cursor up to somewhat before now, and says
// where to go on. A nil cursor begins.
type Sampler func(ctx context.Context, now time.Time, cursor []byte) (judge.Sample, []byte, error)

// Walk looks at the past from from to to, again every interval, as a canary would have
// done then. How far the source is behind the time of the look, its samples say.
func Walk(ctx context.Context, sample Sampler, from, to time.Time, every time.Duration) ([]Look, error) {
	if !to.After(from) || every <= 0 {
		return nil, fault.Errorf(fault.Invalid, "there is no time between %s and %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	began, _, err := sample(ctx, from, nil)
	if err != nil {
		return nil, err
	}
	lag := max(0, from.Sub(began.At))
	var looks []Look
	var cursor []byte
	for at := from; !at.After(to); at = at.Add(every) {
		now := at.Add(lag)
		s, next, err := sample(ctx, now, cursor)
		if err != nil {
			return nil, err
		}
		first := len(cursor) == 0 && len(next) > 0
		cursor = next
		if !first { // which only tells where to begin
			looks = append(looks, Look{Sample: s, Now: now, Evidence: math.NaN()})
		}
	}
	return looks, nil
}

// Stretch is two arms in the past of a metric store.
type Stretch struct {
	Looks []Look
	// History is what stable did before.
	History judge.History
	// Weight is the canary's share of the traffic; 0 takes it from the requests.
	Weight float64
}

// calibrationSeed makes the splits of the history repeatable; a canary uses the same.
const calibrationSeed = 1

// Record makes the stretch a comparison by the settings. The proof is made at the
// weight that the canary had most of the time, if that is below the middle level:
// another tool's canary may never have come so far.
func (s Stretch) Record(set judge.Settings) (Record, error) {
	looks := slices.Clone(s.Looks)
	seconds, requests := s.weigh(looks)
	if requests == 0 {
		return Record{}, fault.Errorf(fault.NotFound, "nothing was compared in this time: %s", s.why()).
			WithHint("look whether the selectors find series of both arms then, and whether the time is right")
	}
	if usual := usualWeight(looks); usual > 0 {
		set.Middle = min(set.Middle, usual)
	}
	start := looks[0].Sample.At
	if len(looks) > 1 {
		start = start.Add(-looks[1].Sample.At.Sub(start))
	}
	c := judge.Calibrate(s.History, set, requests/seconds, calibrationSeed)
	return Record{Opening: judge.Opening{Settings: set, Calibration: c, Start: start}, Looks: looks}, nil
}

// why is what the looks say they miss.
func (s Stretch) why() string {
	for _, l := range s.Looks {
		if l.Sample.Missing != "" {
			return l.Sample.Missing
		}
	}
	return "no request was counted"
}

const (
	shareHalfLife = 120.0 // seconds for which requests speak for the weight
	shareStep     = 0.25  // of a weight, which it must change by to be another
)

// weigh gives every look its weight, and returns the time and the requests of all.
func (s Stretch) weigh(looks []Look) (seconds, requests float64) {
	var canary, all, weight float64
	for i := range looks {
		l := &looks[i].Sample
		span := 0.0
		if i > 0 {
			span = l.At.Sub(looks[i-1].Sample.At).Seconds()
		}
		seconds += span
		if l.Missing == "" {
			keep := math.Exp2(-span / shareHalfLife)
			here := float64(l.Canary.Requests + l.Stable.Requests)
			canary, all = keep*canary+float64(l.Canary.Requests), keep*all+here
			requests += here
		}
		// A share of few requests is never quite the same; only a step is another weight.
		if share := canary / math.Max(all, 1); math.Abs(share-weight) > shareStep*weight {
			weight = share
		}
		if l.Weight = weight; s.Weight > 0 {
			l.Weight = s.Weight
		}
	}
	return math.Max(seconds, 1), requests
}

// usualWeight is a weight that the canary had, or more, for half of the time that it had any.
func usualWeight(looks []Look) float64 {
	var weights []float64
	for _, l := range looks {
		if l.Sample.Weight > 0 {
			weights = append(weights, l.Sample.Weight)
		}
	}
	if len(weights) == 0 {
		return 0
	}
	slices.Sort(weights)
	return weights[len(weights)/2]
}
