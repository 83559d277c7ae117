package kubernetes

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairwayhq/fairway/internal/platform"
)

// foundAnnotation on a side's Deployment is the image that the home had when the side was placed.
const foundAnnotation = "fairway.dev/found"

// noteFound notes it, for a home that others update.
func (p *Platform) noteFound(side, home *appsv1.Deployment, a platform.Artifact) {
	if home == nil || p.settings.Controller == "" {
		return
	}
	if c, err := chosen(home.Spec.Template.Spec, p.settings.Container, a); err == nil {
		side.Annotations[foundAnnotation] = c.Image
	}
}

// followHome waits until the controller has updated the home from its repository, and then
// notes which revision that is. A third image there is somebody's, who is not overruled.
func (p *Platform) followHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, s side) (string, error) {
	who := map[string]string{"argocd": "Argo CD", "flux": "Flux"}[p.settings.Controller]
	awaits := fmt.Sprintf("%s updates the Deployment %s from the repository", who, p.settings.Deployment)
	if w.home == nil {
		return awaits, nil
	}
	c, err := chosen(w.home.Spec.Template.Spec, p.settings.Container, s.revision.Artifact)
	if err != nil {
		return "", err
	}
	if wanted := imageOf(s.revision.Artifact); !sameImage(c.Image, wanted) {
		if found := s.deployment.Annotations[foundAnnotation]; found != "" && c.Image != found {
			return fmt.Sprintf("somebody has given the Deployment %s the image %s, and %s is awaited; a person has to decide which of them the repository is to say", p.settings.Deployment, c.Image, wanted), nil
		}
		return awaits, nil
	}
	tells, err := imageTells(w.home, s.revision)
	if err != nil {
		return "", err
	}
	if !tells {
		if field, err := p.behind(s.revision, w.home, c.Image); err != nil || field != "" {
			return awaits + ": its image is there, " + field + " is not as released yet", err
		}
	}
	return awaits, p.noteHome(ctx, w, lease, t, s.revision)
}

// imageTells whether the image alone shows that a controller has brought the revision: it
// does where the revision that Fairway last knew at home had another one. What else the
// repository says then came with it, or, in a rollback, stays as people have written it.
func imageTells(home *appsv1.Deployment, r platform.Revision) (bool, error) {
	if home.Annotations[placedAnnotation] == "" {
		return false, nil
	}
	before, err := unpack(home)
	return err == nil && !sameImage(imageOf(before.Artifact), imageOf(r.Artifact)), err
}

// noteHome notes on the home which revision it is.
func (p *Platform) noteHome(ctx context.Context, w *world, lease platform.Lease, t platform.Target, r platform.Revision) error {
	if err := p.claim(ctx, w, lease, t, nil); err != nil {
		return err
	}
	if err := p.sure(ctx, w); err != nil {
		return err
	}
	packed, err := pack(r)
	if err != nil {
		return err
	}
	annotations := map[string]any{placedAnnotation: packed, fenceAnnotation: strconv.FormatInt(lease.Fence, 10)}
	return p.patchDeployment(ctx, w.home, map[string]any{"metadata": map[string]any{"annotations": annotations}})
}
