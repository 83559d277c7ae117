// Package platform is where revisions run: the four verbs that every platform
// offers, and the words they speak in. Each platform lives in a folder of its own
// and passes the suite in platformtest.
//
// A platform does not know releases, plans or verdicts. Canary, blue-green and
// rolling are schedules over the four verbs, written once, in package stage.
package platform

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
)

// Whole is all the traffic of a target in parts per million.
const Whole = 1_000_000

// Platform runs revisions of a service side by side on one target.
//
// Every verb is idempotent, may be repeated from any point after a crash, and
// refuses a fence older than the last one it saw with fault.Conflict
// (ErrFenced is in the chain). Trouble that may pass is fault.Unavailable; a
// revision that is wrong in itself is fault.Invalid.
type Platform interface {
	// Observe reads the target from the world, never from memory. A target that
	// was never placed on is an empty State, not an error.
	Observe(ctx context.Context, target Target) (State, error)
	// Place brings a revision up, or resizes it, without giving it traffic. It
	// returns when the work has begun; Observe tells when the instances are ready.
	Place(ctx context.Context, lease Lease, target Target, revision Revision, capacity Capacity) error
	// Route splits the traffic. The weights sum to Whole and every revision with
	// weight has at least one ready instance, or the call is refused. When one
	// revision gets everything it becomes the target's home. No weights at all take
	// the traffic away: users are answered that the service is not there.
	Route(ctx context.Context, lease Lease, target Target, weights Weights) error
	// Retire drains a revision and takes it away. A revision with weight is
	// refused; one that is not there is a success.
	Retire(ctx context.Context, lease Lease, target Target, revision string) error
}

// Logger is the optional ability to show the last lines that a revision printed.
type Logger interface {
	// Logs returns at most lines lines of all instances of the revision, oldest first.
	Logs(ctx context.Context, target Target, revision string, lines int) ([]string, error)
}

// Weigher is the optional ability to say which splits of the traffic are possible, for a
// platform with coarse weights: one that splits by the number of instances, say. Without
// it, any split is. Of such a platform's weights, Route refuses those that it cannot give
// with fault.Conflict.
type Weigher interface {
	// CanaryWeights are the weights, in parts per million and in any order, that Route can
	// give a revision beside the target's home when it has at most the capacity. None says
	// that it can give any.
	CanaryWeights(ctx context.Context, target Target, capacity Capacity) ([]int, error)
}

// Settler is the optional ability of a platform on which the home is an object of its
// own, such as the user's Deployment: it brings the revision that has all the traffic
// there from the side, where it was judged.
type Settler interface {
	// Settle takes one step and says in a few words what it waits for; nothing means
	// that the revision is at home and nothing of it is left on the side. Each step
	// follows from what Observe shows, so it may be repeated from any point. A revision
	// without all the traffic is refused.
	Settle(ctx context.Context, lease Lease, target Target, revision string) (awaits string, err error)
}

// Previewer is the optional ability to tell what a release would change.
type Previewer interface {
	// Preview tells what would change at home if the revision came there, and changes
	// nothing: what is Desired comes with the revision, what is Live is there now, and what
	// is Missing would be new. A revision whose artifact has no Ref comes with that of the home.
	Preview(ctx context.Context, target Target, revision Revision) (Comparison, error)
}

// Comparer is the optional ability to tell what has drifted.
type Comparer interface {
	// Compare tells where what is at home is not as the revision says. What the platform
	// has filled in, and what scales by itself, does not count. A revision whose artifact
	// has no Ref runs the image that its settings name.
	Compare(ctx context.Context, target Target, revision Revision) (Comparison, error)
}

// Comparison is how what is at home differs from a revision.
type Comparison struct {
	Differences []drift.Difference
	// Notes say, for people, what was not compared and why.
	Notes []string
}

// Admitter is the optional ability to send chosen requests to a revision beside the home,
// whatever its weight.
type Admitter interface {
	// Admit sends the requests that match to the revision alone; the zero Match ends that.
	// The weights stay as they are, and hold for all other requests. A revision that has
	// no ready instance is refused. What is admitted ends with Retire at the latest.
	Admit(ctx context.Context, lease Lease, target Target, revision string, match Match) error
}

// Match are the requests with just this value of a header or of a cookie.
type Match struct {
	Header string
	Cookie string
	Value  string
}

// Target is one service in one environment and region.
type Target struct {
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Region      string `json:"region,omitempty"`
}

// String returns "service/environment" or "service/environment/region".
func (t Target) String() string {
	if t.Region == "" {
		return t.Service + "/" + t.Environment
	}
	return fmt.Sprintf("%s/%s/%s", t.Service, t.Environment, t.Region)
}

// Lease is the right to change a target for a while. Fence grows with every lease of the target.
type Lease struct {
	Fence  int64  `json:"fence"`
	Holder string `json:"holder"`
}

// Revision is an artifact plus the config it runs with. It is complete: whoever
// has it can place it again, also long after it was retired.
type Revision struct {
	// ID is derived from the digests, so that the same artifact with the same config is the same revision.
	ID string `json:"id"`
	// Version is what people call it, for instance "v2"; it may be empty.
	Version  string   `json:"version,omitempty"`
	Artifact Artifact `json:"artifact"`
	Config   Config   `json:"config,omitzero"`
	// Settings are the platform's own, as they stand in the plan: a host.Settings or a
	// kubernetes.Settings.
	Settings []byte `json:"settings,omitempty"`
	// Sealed are values that the settings have digests of; only a worker that has the key
	// can open them. Empty where there are none.
	Sealed string `json:"sealed,omitempty"`
	// Fault is done to its requests on purpose, for a drill; nil is none. Only a
	// platform that is an Injector may be given one.
	Fault *Fault `json:"fault,omitempty"`
}

// Artifact is an immutable build output.
type Artifact struct {
	// Ref says where to get it: a path or URL (host), an image (kubernetes, ecs).
	Ref string `json:"ref"`
	// Digest is "sha256:" and 64 hexadecimal digits.
	Digest string `json:"digest"`
}

// Config is what a revision runs with besides its artifact.
type Config struct {
	Env   map[string]string `json:"env,omitempty"`
	Files []File            `json:"files,omitempty"`
	// Secrets maps a variable's name to a reference that the worker resolves
	// when it places the revision ("file:/run/secrets/db", "env:DB_PASSWORD"). Values are never stored.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// File is one config file, kept with the revision.
type File struct {
	// Path is relative to the revision's working folder.
	Path    string `json:"path"`
	Content []byte `json:"content"`
}

// Capacity is how much of a revision to run.
type Capacity struct {
	Instances int `json:"instances"`
}

// Weights maps revision IDs to parts per million; they sum to Whole.
type Weights map[string]int

// State is a target as it is in the world.
type State struct {
	// Fence is the highest fence that the target accepted; 0 if none.
	Fence int64 `json:"fence"`
	// Home is the revision that last had all the traffic: stable. Empty before the first release.
	Home      string          `json:"home,omitempty"`
	Revisions []RevisionState `json:"revisions,omitempty"`
	// Weights may name a revision that is not among Revisions: somebody has deleted it, and
	// its share goes to nobody.
	Weights Weights `json:"weights,omitempty"`
	// Foreign tells who has changed the weights behind Fairway's back, and how; empty if
	// they are what Route wrote last.
	Foreign string `json:"foreign,omitempty"`
}

// RevisionState is one revision on a target.
type RevisionState struct {
	Revision  Revision   `json:"revision"`
	Capacity  Capacity   `json:"capacity"`
	Instances []Instance `json:"instances,omitempty"`
	// Awaits says why there are fewer instances than the capacity, in the platform's
	// words (a quota, no room); empty if nothing is known to stand in the way.
	Awaits string `json:"awaits,omitempty"`
	// Backend is what the target's traffic to this revision goes to, as the platform calls
	// it: for Kubernetes "NAMESPACE/SERVICE". Empty where there is no such thing.
	Backend string `json:"backend,omitempty"`
}

// Instance is one copy of a revision that runs, or tried to.
type Instance struct {
	ID        string    `json:"id"`
	Address   string    `json:"address,omitempty"`
	Ready     bool      `json:"ready"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Failed says that it will not become ready by itself: it exited, ran into its
	// time limit, or could not be started. Message says why, in the platform's words.
	Failed   bool   `json:"failed,omitempty"`
	Message  string `json:"message,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
}

// Ready counts the instances that are ready.
func (r RevisionState) Ready() int {
	n := 0
	for _, i := range r.Instances {
		if i.Ready {
			n++
		}
	}
	return n
}

// Revision returns the state of the revision with that ID.
func (s State) Revision(id string) (RevisionState, bool) {
	for _, r := range s.Revisions {
		if r.Revision.ID == id {
			return r, true
		}
	}
	return RevisionState{}, false
}
