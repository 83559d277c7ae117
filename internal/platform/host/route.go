package host

import (
	"context"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/router"
)

// Route puts the weights into the router's table and returns once requests see
// them. The address, hosts and stickiness are those of the revision with the
// most traffic. A revision without weight stays in the table until it is
// retired, so that what it is answering goes on. No weights at all take the
// route away; its fence stays.
func (p *Platform) Route(ctx context.Context, lease platform.Lease, t platform.Target, weights platform.Weights) error {
	if err := checkWeights(weights); err != nil {
		return fault.Errorf(fault.Invalid, "route %s: %w", t, err)
	}
	unlock, err := p.lockTarget(ctx, t)
	if err != nil {
		return fault.Errorf(fault.CodeOf(err), "route %s: %w", t, err)
	}
	defer unlock()
	former, err := p.claim(ctx, lease, t)
	if err != nil {
		return fault.Errorf(fault.CodeOf(err), "route %s: %w", t, err)
	}
	if len(weights) == 0 {
		if err := p.config.Router.DeleteRoute(ctx, t.String(), lease.Fence); err != nil {
			return routerFault(err, "delete", lease, t)
		}
		return nil
	}
	route, err := p.newRoute(ctx, t, former, weights)
	if err != nil {
		return fault.Errorf(fault.CodeOf(err), "route %s: %w", t, err)
	}
	route.Fence, route.Holder = lease.Fence, lease.Holder
	if _, err := p.config.Router.PutRoute(ctx, t.String(), route); err != nil {
		return routerFault(err, "put", lease, t)
	}
	return nil
}

func checkWeights(weights platform.Weights) error {
	if len(weights) == 0 {
		return nil
	}
	sum := 0
	for id, w := range weights {
		if w < 0 || w > platform.Whole {
			return fault.Errorf(fault.Invalid, "weight %d of revision %s is not between 0 and %d", w, id, platform.Whole)
		}
		sum += w
	}
	if sum != platform.Whole {
		return fault.Errorf(fault.Invalid, "the weights sum to %d, not to %d", sum, platform.Whole)
	}
	return nil
}

func (p *Platform) newRoute(ctx context.Context, t platform.Target, former router.Route, weights platform.Weights) (router.Route, error) {
	revisions, err := p.readRevisions(t)
	if err != nil {
		return router.Route{}, err
	}
	var route router.Route
	most, known := 0, 0
	for _, f := range revisions {
		weight := weights[f.Revision.ID]
		_, inTable := former.Arm(f.Revision.ID)
		if weight == 0 && (f.Phase != placed || !inTable) {
			continue
		}
		backends, err := p.backends(ctx, t, f)
		if err != nil {
			return router.Route{}, err
		}
		harm, err := injected(f.Revision, weight, p.config.Now())
		if err != nil {
			return router.Route{}, err
		}
		route.Arms = append(route.Arms, router.Arm{Revision: f.Revision.ID, Weight: weight, Backends: backends, Fault: harm})
		if weight == 0 {
			continue
		}
		known += weight
		if len(backends) == 0 || f.Phase == stopping || f.Phase == retired {
			return router.Route{}, fault.Errorf(fault.Conflict, "revision %s has no ready instance", f.Revision.ID).
				WithHint("place it and wait until Observe shows a ready instance")
		}
		if f.Phase == draining { // traffic comes back to a revision that was about to go
			f.Phase = placed
			if err := p.writeRevision(t, f); err != nil {
				return router.Route{}, err
			}
		}
		if weight > most {
			most = weight
			if err := dress(&route, f); err != nil {
				return router.Route{}, err
			}
		}
	}
	if known != platform.Whole {
		return router.Route{}, fault.Errorf(fault.Conflict, "the weights name a revision that is not on the target")
	}
	return route, nil
}

// dress gives the route what the revision's settings say.
func dress(route *router.Route, f revisionFile) error {
	s, err := ParseSettings(f.Revision.Settings)
	if err != nil {
		return err
	}
	route.Listen, route.Hosts, route.DrainTimeout = s.Listen, s.Hosts, time.Duration(s.Drain)
	route.Sticky = nil
	if s.Sticky != (Sticky{}) {
		route.Sticky = &router.Sticky{Cookie: s.Sticky.Cookie, Header: s.Sticky.Header}
	}
	return nil
}

// backends are the instances that have shown themselves ready in their present
// life. One that has not yet is asked now; one that has is not asked again,
// because a rollback must not depend on a stable that is slow to answer.
func (p *Platform) backends(ctx context.Context, t platform.Target, f revisionFile) ([]router.Backend, error) {
	wanted, _, err := p.instances(t, f)
	if err != nil {
		return nil, err
	}
	var found []router.Backend
	for _, i := range wanted {
		l, err := i.look()
		if err == nil && l.running && !l.answered {
			l, _, err = p.inspect(ctx, i)
		}
		if err != nil {
			return nil, err
		}
		if l.answered {
			found = append(found, router.Backend{Address: l.record.address(), StartedAt: l.record.StartedAt})
		}
	}
	return found, nil
}

// syncRoute brings the table's backends in line with the instances that can
// serve; weights and fence stay. An arm that would have none keeps what it has:
// its instances come back on the same ports. The caller holds the target's lock.
func (p *Platform) syncRoute(ctx context.Context, t platform.Target) error {
	route, err := p.route(ctx, t)
	if err != nil {
		return err
	}
	changed := false
	for n, arm := range route.Arms {
		f, found, err := p.readRevision(t, arm.Revision)
		if err != nil {
			return err
		}
		if !found || f.Phase != placed {
			continue
		}
		backends, err := p.answering(t, f)
		if err != nil {
			return err
		}
		if len(backends) > 0 && !slices.EqualFunc(backends, arm.Backends, sameBackend) {
			route.Arms[n].Backends, changed = backends, true
		}
	}
	if !changed {
		return nil
	}
	_, err = p.config.Router.PutRoute(ctx, t.String(), route)
	return err
}

// answering are the backends as they are known without asking anybody.
func (p *Platform) answering(t platform.Target, f revisionFile) ([]router.Backend, error) {
	wanted, _, err := p.instances(t, f)
	if err != nil {
		return nil, err
	}
	var found []router.Backend
	for _, i := range wanted {
		l, err := i.look()
		if err != nil {
			return nil, err
		}
		if l.answered {
			found = append(found, router.Backend{Address: l.record.address(), StartedAt: l.record.StartedAt})
		}
	}
	return found, nil
}

func sameBackend(a, b router.Backend) bool {
	return a.Address == b.Address && a.StartedAt.Equal(b.StartedAt)
}
