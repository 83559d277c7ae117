// Package release says who may ship what, where and when: one use case per file.
//
// It checks the request and the identity, and turns both into an event for
// package drive, which owns the runs. It does not speak HTTP and holds no state.
package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Release is one artifact with its config going through one plan, or several of as many
// services, of which one leads.
type Release struct {
	ID       string
	Service  string
	Version  string
	Artifact string
	Digest   string
	// With are the other services, in the order in which they go.
	With     []Component
	Author   string
	Note     string
	PlanHash string
	// RollbackTo names the older release that this one brings back; empty for an ordinary one.
	RollbackTo string
	// DrillOf names the release that this one is a drill of; empty for every other one.
	DrillOf   string
	CreatedAt time.Time
	// Definition is the text of the fairway.yaml that the plan was made of.
	Definition string
}

// Component is another service of a release, and its artifact.
type Component struct {
	Service  string `json:"service"`
	Version  string `json:"version,omitempty"`
	Artifact string `json:"artifact"`
	Digest   string `json:"digest"`
	// Definition is the text that its part of the plan was made of.
	Definition string `json:"definition,omitempty"`
}

// ComponentsOf are the other services of a plan, as its release has them.
func ComponentsOf(p *pipeline.Plan) []Component {
	var all []Component
	for _, c := range p.With {
		all = append(all, Component{Service: c.Service, Version: c.Version, Artifact: c.Artifact, Digest: c.Digest})
	}
	return all
}

// definitionOf is the text that the service's part of the release was made of.
func (r *Release) definitionOf(service string) string {
	for _, c := range r.With {
		if c.Service == service {
			return c.Definition
		}
	}
	return r.Definition
}

// versionOf is the version that the release has of the service; known is false where it has none.
func (r *Release) versionOf(service string) (version string, known bool) {
	for _, c := range r.With {
		if c.Service == service {
			return c.Version, true
		}
	}
	return r.Version, r.Service == service
}

// Filter narrows a list of releases. Empty fields match all.
type Filter struct {
	Service string
	State   pipeline.RunState
	// Before continues a list: only releases with a smaller ID. IDs sort by time of creation.
	Before string
	Limit  int
}

// Summary is a release in a list.
type Summary struct {
	Release
	State       pipeline.RunState
	Environment string
	EndedAt     time.Time
}

// SampledPoint is a stored point with its place.
type SampledPoint struct {
	ID          int64
	Environment string
	Stage       string
	stage.Point
}

// Tx is one transaction over everything that the use cases need.
type Tx interface {
	drive.Tx
	Releases
	Events
	Past
	Counts
}

// Releases keeps releases and what is known about them.
type Releases interface {
	// AddRelease stores the release with its plan and its new run.
	AddRelease(r Release, p *pipeline.Plan, run pipeline.Run) error
	// LoadRelease returns the release, or fault.NotFound.
	LoadRelease(id string) (Release, error)
	// ListReleases returns the newest first.
	ListReleases(f Filter) ([]Summary, error)
	// NewestOrdinary returns the newest release of the service that neither brought an older
	// one back nor was a drill: one that it led, else one in which another led, or "".
	NewestOrdinary(service string) (string, error)
	// Services returns the names of all services that ever had a release, sorted.
	Services() ([]string, error)
	// UnfinishedOf returns the releases with the service that are not final.
	UnfinishedOf(service string) ([]string, error)
	// Homes returns, for a service, which release each environment's home belongs to.
	Homes(service string) (map[string]string, error)
	// Evidence returns all facts about the digest, oldest first.
	Evidence(digest string) ([]pipeline.Evidence, error)
	// LoadPoints returns at most limit points of the release with an ID above after.
	LoadPoints(release, environment string, after int64, limit int) ([]SampledPoint, error)
	// Repeated returns the release that was created under the idempotency key by the actor, or "".
	Repeated(actor, key string) (string, error)
	Remember(actor, key, release string) error
}

// Events reads the ledger.
type Events interface {
	// LoadEvents returns at most limit lines of the release's chain with Seq above after.
	LoadEvents(release string, after int64, limit int) ([]ledger.Event, error)
	// Chains returns the IDs of all chains in the ledger.
	Chains() ([]string, error)
	// RecentEvents returns at most limit lines over all releases whose store-wide
	// number is above after, in the order in which they were written, and the number of the last one.
	RecentEvents(after int64, limit int) ([]ledger.Event, int64, error)
	// LastNumber returns the store-wide number of the last line that RecentEvents may
	// return; 0 where there is none.
	LastNumber() (int64, error)
}

// Store is what the use cases need of a store.
type Store interface {
	Update(ctx context.Context, f func(Tx) error) error
	View(ctx context.Context, f func(Tx) error) error
}
