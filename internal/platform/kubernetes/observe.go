package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairwayhq/fairway/internal/platform"
)

// Observe reads the target. A home that Fairway has never written is shown as a revision
// with all the traffic.
func (p *Platform) Observe(ctx context.Context, _ platform.Target) (platform.State, error) {
	ctx, cancel := context.WithTimeout(ctx, verbLimit)
	defer cancel()
	w, err := p.look(ctx, false)
	if err != nil {
		return platform.State{}, err
	}
	return p.state(ctx, w), nil
}

func (p *Platform) state(ctx context.Context, w *world) platform.State {
	s := platform.State{Revisions: p.revisions(ctx, w)}
	m := w.adopt(p)
	s.Fence, s.Home = m.Fence, m.Home
	s.Weights, s.Foreign = p.weights(w)
	if w.home == nil {
		return s
	}
	// Somebody has given the home another revision behind Fairway's back, or has made it.
	now := s.Weights[w.homeRevision.ID]
	if _, there := s.Revision(s.Home); !there && (now == platform.Whole || s.Home == "" && now > 0) {
		s.Home = w.homeRevision.ID
	}
	return s
}

// revisions are those on the sides and the one at home, by their IDs. One that is both,
// while it settles, is shown once.
func (p *Platform) revisions(ctx context.Context, w *world) []platform.RevisionState {
	shown := slices.Clone(w.sides)
	if _, beside := w.side(w.homeRevision.ID); w.home != nil && !beside { // else the side bears the traffic
		shown = append(shown, side{w.home, w.homeRevision})
	}
	if w.mark != nil {
		shown = slices.DeleteFunc(shown, func(s side) bool { return slices.Contains(w.mark.Away, s.revision.ID) })
	}
	all := make([]platform.RevisionState, len(shown))
	var told sync.WaitGroup
	for n, s := range shown {
		told.Go(func() { all[n] = p.revision(ctx, w, s.deployment, s.revision) })
	}
	told.Wait()
	slices.SortFunc(all, func(a, b platform.RevisionState) int { return strings.Compare(a.Revision.ID, b.Revision.ID) })
	return all
}

// revision says how a revision and its pods do. What has to be asked about pods is asked about
// all of them at once: of those on a lost node each question takes its whole limit.
func (p *Platform) revision(ctx context.Context, w *world, d *appsv1.Deployment, r platform.Revision) platform.RevisionState {
	pods := w.podsOf(d)
	s := platform.RevisionState{Revision: r, Backend: p.backend(d, r), Capacity: platform.Capacity{Instances: int(replicas(d))}, Instances: make([]platform.Instance, len(pods))}
	var told sync.WaitGroup
	for n, pod := range pods {
		told.Go(func() { s.Instances[n] = p.instance(ctx, pod, w.askedAt(d)) })
	}
	told.Wait()
	slices.SortFunc(s.Instances, func(a, b platform.Instance) int { return strings.Compare(a.ID, b.ID) })
	s.Awaits = awaits(d, s)
	return s
}

// backend is what counts a revision's traffic: its Service or, where there is one for all,
// its Deployment, after which its pods are named.
func (p *Platform) backend(d *appsv1.Deployment, r platform.Revision) string {
	name := p.settings.Service
	switch {
	case d.Name != p.settings.Deployment:
		name = p.sideName(r.ID)
	case p.byPods():
		name = d.Name
	}
	return p.settings.Namespace + "/" + name
}

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// awaits says why pods are missing, in the words of who should have made or placed them.
func awaits(d *appsv1.Deployment, s platform.RevisionState) string {
	if s.Ready() >= s.Capacity.Instances {
		return ""
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == "True" {
			return strings.TrimSuffix(c.Message, ".")
		}
	}
	for _, i := range s.Instances {
		if !i.Ready && i.Message != "" {
			return strings.TrimSuffix(i.Message, ".")
		}
	}
	return ""
}

// weights are the revisions' shares as the route has them now, and what differs from what
// was written last. A side that somebody has deleted keeps the share that it was given.
func (p *Platform) weights(w *world) (platform.Weights, string) {
	shares, agree := w.split.shares()
	weights := platform.Weights{}
	if w.mark == nil && w.home == nil {
		return weights, ""
	}
	unknown := ""
	for service, share := range shares {
		switch {
		case service == p.settings.Service && w.home != nil:
			weights[w.homeRevision.ID] += share
		case service == p.settings.Service:
			// a Service without a Deployment
		default:
			if id, ok := p.revisionOf(w, service); ok {
				weights[id] += share
			} else {
				unknown = service
			}
		}
	}
	return weights, p.foreign(w, weights, agree, unknown)
}

// revisionOf is the revision on the side with the name, also of one that has traffic and that
// somebody has deleted.
func (p *Platform) revisionOf(w *world, side string) (string, bool) {
	for _, s := range w.sides {
		if p.sideName(s.revision.ID) == side {
			return s.revision.ID, true
		}
	}
	if w.mark != nil {
		for id := range w.mark.Weights {
			if p.sideName(id) == side {
				return id, true
			}
		}
	}
	return "", false
}

// foreign tells who has changed the weights, and to what.
func (p *Platform) foreign(w *world, now platform.Weights, agree bool, unknown string) string {
	if w.mark == nil || len(w.mark.Weights) == 0 {
		return ""
	}
	if w.home != nil && agree && unknown == "" && p.replaced(w, now) {
		return fmt.Sprintf("somebody has changed the Deployment %s: it runs another version than the release found there", p.settings.Deployment)
	}
	if gone := p.deletedSide(w); gone != "" && !sameShares(now, w.mark.Weights) {
		return fmt.Sprintf("somebody has deleted the Deployment %s: the weights are %s, not %s", gone, text(now), text(w.mark.Weights))
	}
	what := ""
	switch {
	case unknown != "":
		what = fmt.Sprintf("it leads to the Service %s", unknown)
	case !agree:
		what = w.split.disagreement()
	case !sameShares(now, w.mark.Weights) && !p.settled(w, now):
		what = fmt.Sprintf("its weights are %s, not %s", text(now), text(w.mark.Weights))
	default:
		return ""
	}
	who := lastWriter(w.anchor, w.split.field())
	if who == "" {
		who = "somebody"
	}
	return fmt.Sprintf("%s has changed the %s: %s", who, p.anchorText(), what)
}

// deletedSide is the name of a side whose pods were behind the one Service and which somebody
// has deleted; empty if there is none.
func (p *Platform) deletedSide(w *world) string {
	for _, id := range slices.Sorted(maps.Keys(w.mark.Weights)) {
		if _, there := w.side(id); !there && w.mark.Open[p.sideName(id)] != 0 {
			return p.sideName(id)
		}
	}
	return ""
}

// replaced tells that the weights are as written, but the home has become another revision.
func (p *Platform) replaced(w *world, now platform.Weights) bool {
	share, is := now[w.homeRevision.ID]
	if _, known := w.mark.Weights[w.homeRevision.ID]; !is || known || len(now) < 2 || len(now) != len(w.mark.Weights) {
		return false
	}
	for id, ppm := range w.mark.Weights {
		if _, still := now[id]; !still && ppm == share {
			return true
		}
	}
	return false
}

// settled tells that the weights differ only because the home has been given another
// revision while it had all the traffic.
func (p *Platform) settled(w *world, now platform.Weights) bool {
	return w.home != nil && now[w.homeRevision.ID] == platform.Whole && len(w.mark.Weights) == 1
}

func text(w platform.Weights) string {
	var parts []string
	for id, ppm := range w {
		parts = append(parts, fmt.Sprintf("%s %.4g %%", id, float64(ppm)/platform.Whole*100))
	}
	if len(parts) == 0 {
		return "none"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
