package pipeline

import (
	"math"
	"slices"
)

// How much stays on the old revision during a watch that does not say: the judge has
// nothing to compare with where the control has no bad request in all the time.
const (
	leastHoldback = 0.05
	mostHoldback  = 0.5
	// holdbackEvents is how many bad requests the control should have.
	holdbackEvents = 5
	// usualErrors is the error rate where nobody tells one.
	usualErrors = 0.001
)

// withHoldback fills in the holdback of watches that leave it open.
func withHoldback(defs []StageDefinition, expect ExpectDefinition) []StageDefinition {
	defs = slices.Clone(defs)
	for i, def := range defs {
		if def.Watch == nil || def.Watch.Holdback != nil {
			continue
		}
		watch := *def.Watch
		fillDefaults(&watch)
		share := Share(holdback(float64(expect.Rate), float64(expect.Errors), watch.For.Std().Seconds()))
		watch = *def.Watch
		watch.Holdback = &share
		defs[i].Watch = &watch
	}
	return defs
}

// holdback is the share for a service with so many requests a second, of which the
// share errors is bad, over so many seconds; in whole percents.
func holdback(rate, errors, seconds float64) float64 {
	if rate <= 0 {
		return leastHoldback
	}
	if errors <= 0 {
		errors = usualErrors
	}
	share := math.Ceil(100*holdbackEvents/(rate*errors*seconds)) / 100
	return math.Max(leastHoldback, math.Min(mostHoldback, share))
}
