// Package platformtest is the suite that every platform passes. It knows only
// the four verbs, so what it asks of one platform it asks of all.
//
//	func TestConformance(t *testing.T) {
//		platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
//			return platformtest.Fixture{Platform: p, Target: target, …}
//		})
//	}
package platformtest

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// Fixture is a platform with an empty target, and the revisions to try on it.
// Crash and Serving may be nil; what needs them is then skipped, and said so.
type Fixture struct {
	Platform platform.Platform
	Target   platform.Target
	// Reopen returns the platform as a restarted worker has it: another object over the same world.
	Reopen func(t *testing.T) platform.Platform
	// Good returns a revision that becomes ready; another version is another revision.
	Good func(version string) platform.Revision
	// NeverReady returns a revision that starts and does not become ready; it fails within Patience.
	NeverReady func() platform.Revision
	// CannotStart returns a revision whose instances end at once.
	CannotStart func() platform.Revision
	// Crash ends one instance of the revision, as an accident would. The platform is
	// expected to bring it back by itself.
	Crash func(t *testing.T, revision string)
	// Serving sends one request as a user does and returns the ID of the revision that answered.
	Serving func(t *testing.T) string
	// Lag is how long after a Route a request may still go where it went before, as
	// behind a gateway that hears of changes by and by. Default 0: not at all.
	Lag time.Duration
	// Patience bounds every wait for the world. Default 30 s.
	Patience time.Duration
}

// Run runs the suite. New is called once for each test.
func Run(t *testing.T, fresh func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*bench){
		"a target that was never placed on is empty":        emptyTarget,
		"a placed revision becomes ready and takes nothing": placeGivesNoTraffic,
		"place is idempotent":                               placeIsIdempotent,
		"place resizes":                                     placeResizes,
		"a placed revision is observed as it was given":     revisionSurvives,
		"two revisions stand side by side":                  sideBySide,
		"a revision that is never ready fails":              neverReady,
		"a revision that cannot start fails":                cannotStart,
		"weights sum to the whole":                          weightsSum,
		"no weights take the traffic away":                  noWeights,
		"route refuses what is not ready":                   routeNeedsReady,
		"route is idempotent and traffic follows":           routeMoves,
		"route gives the weights that are possible":         routesThePossible,
		"home is what last had everything":                  homeFollows,
		"retire refuses a revision with weight":             retireRefusesWeight,
		"retire is idempotent":                              retireIsIdempotent,
		"a retired revision can come back":                  retiredComesBack,
		"every verb refuses an older fence":                 oldFence,
		"every verb refuses another holder's equal fence":   sameFence,
		"a fence that is equal or newer is taken":           newFence,
		"a crashed instance comes back":                     crash,
		"verbs at the same time leave a whole state":        concurrentVerbs,
		"a restarted worker sees the same and goes on":      restartedWorker,
	} {
		t.Run(name, func(t *testing.T) {
			f := fresh(t)
			if f.Patience == 0 {
				f.Patience = 30 * time.Second
			}
			test(&bench{T: t, Fixture: f, lease: platform.Lease{Fence: 10, Holder: "platformtest"}})
		})
	}
}
