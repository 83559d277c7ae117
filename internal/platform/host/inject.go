package host

import (
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/router"
)

// Injects implements platform.Injector: it is the router that does the harm.
func (*Platform) Injects(f platform.Fault) error { return inTable(f).Validate() }

// inTable is the fault in the router's words.
func inTable(f platform.Fault) router.Fault {
	ppm := func(share float64) int {
		if math.IsNaN(share) || math.Abs(share) > 1000 {
			return -1 // which the router refuses
		}
		return int(math.Round(share * router.Whole))
	}
	return router.Fault{ErrorShare: ppm(f.Errors), Delay: f.Delay, Slower: ppm(f.Slower), Until: f.Until}
}

// injected is the fault with which the revision stands in the table; nil where it has
// none, or its time is over. One that has a fault never gets all the traffic.
func injected(r platform.Revision, weight int, now time.Time) (*router.Fault, error) {
	if r.Fault == nil {
		return nil, nil
	}
	if weight == platform.Whole {
		return nil, fault.Errorf(fault.Invalid, "revision %s carries a fault for a drill, and must not get all the traffic", r.ID)
	}
	if !now.Before(r.Fault.Until) {
		return nil, nil
	}
	f := inTable(*r.Fault)
	return &f, nil
}

var _ platform.Injector = (*Platform)(nil)
