package kubernetes

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// Retire takes a side away. Its pods go on answering for the time to drain. What is at
// home stays until another revision settles there, and is no longer counted meanwhile;
// only a home that Fairway has made itself, and that nobody else follows, is deleted, and the
// anchor is as it was before.
func (p *Platform) Retire(ctx context.Context, lease platform.Lease, t platform.Target, revision string) error {
	return p.change(ctx, t, "retire "+revision+" from", func(w *world) error {
		weights, _ := p.weights(w)
		if weights[revision] > 0 && (w.mark == nil || !slices.Contains(w.mark.Away, revision)) {
			return fenceFirst(w, lease, t, fault.Errorf(fault.Conflict, "revision %s has %s of the traffic", revision, text(platform.Weights{revision: weights[revision]})).
				WithHint("route the traffic to another revision first"))
		}
		s, beside := w.side(revision)
		err := p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
			m.Away = p.away(w, m.Away, revision)
			if !beside {
				return nil, nil
			}
			return w.split.without(m, p.sideName(revision), p.services(w)), nil
		})
		if err != nil {
			return err
		}
		if err := p.sure(ctx, w); err != nil {
			return err
		}
		if err := p.afterLast(ctx, w, revision); err != nil { // also if somebody has deleted the side
			return err
		}
		if err := p.restoreConfig(ctx, w, lease, t, revision); err != nil { // then, too
			return err
		}
		switch {
		case beside:
			return p.delete(ctx, s.deployment)
		case w.home == nil:
			return p.leave(ctx, w, lease, t)
		case w.atHome(revision) && w.home.Annotations[createdAnnotation] != "" && len(weights) == 0:
			if err := p.delete(ctx, w.home); err != nil {
				return err
			}
			return p.leave(ctx, w, lease, t)
		}
		return nil
	})
}

// restoreConfig writes the home's own config again, where the revision that goes has written
// its own over it and its pods never came there. A worker that cannot open the home's Secrets
// any more restores the rest: whoever goes must not stay for that.
func (p *Platform) restoreConfig(ctx context.Context, w *world, lease platform.Lease, t platform.Target, gone string) error {
	if w.mark.Moving != gone || w.home == nil || w.atHome(gone) || p.settings.Controller != "" {
		return nil
	}
	set, shut := p.opened(w.target, w.homeRevision)
	if shut != nil {
		p.config.Log.Error("The Secrets of the former version cannot be written again; write them by hand.", "namespace", p.settings.Namespace, "deployment", p.settings.Deployment, "error", shut)
		var err error
		if set, err = ParseSettings(w.homeRevision.Settings); err != nil {
			return err
		}
	}
	needed, err := set.placeable(true)
	if err != nil {
		return err
	}
	needed = slices.DeleteFunc(needed, func(o placedObject) bool { return shut != nil && o.resource == secrets })
	if err := p.applyAll(ctx, needed); err != nil {
		return err
	}
	return p.claim(ctx, w, lease, t, func(m *mark) (*unstructured.Unstructured, error) {
		m.Moving = ""
		return nil, nil
	})
}

// away are the retired revisions that may still be seen, with one more.
func (p *Platform) away(w *world, before []string, revision string) []string {
	var all []string
	for _, id := range append(slices.Clone(before), revision) {
		_, beside := w.side(id)
		if (beside || w.atHome(id)) && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// afterLast gives the home's autoscaler back when its last side goes. It comes before the
// deletion, after which nobody would know that it is to be done.
func (p *Platform) afterLast(ctx context.Context, w *world, gone string) error {
	for _, s := range w.sides {
		if s.revision.ID != gone {
			return nil
		}
	}
	return p.giveBack(ctx)
}

// delete deletes the version of a Deployment that was read, with all that it owns.
func (p *Platform) delete(ctx context.Context, d *appsv1.Deployment) error {
	background := metav1.DeletePropagationBackground
	err := p.client(deployments).Delete(ctx, d.Name, metav1.DeleteOptions{
		PropagationPolicy: &background,
		Preconditions:     &metav1.Preconditions{UID: &d.UID},
	})
	switch {
	case stale(err):
		return err
	case err != nil && !apierrors.IsNotFound(err):
		return faultOf(err, "delete Deployment "+d.Name)
	}
	p.namespace().deployments.deleted(d)
	return nil
}
