package kubernetes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairwayhq/fairway/internal/fault"
)

// unpublished says which Service with new traffic would lead nowhere: none of its revision's
// pods is among its endpoints. Pods may be ready for long before those are written, while the
// cluster's controllers are started again, and gateways send requests to endpoints. A Service
// that has traffic already is not asked about, nor by a worker that may not.
func (p *Platform) unpublished(ctx context.Context, w *world, shares map[string]int) error {
	if p.byPods() {
		return nil // the one Service has traffic all the time
	}
	now, _ := w.split.shares()
	for service, share := range shares {
		if share == 0 || now[service] > 0 {
			continue
		}
		d := w.home
		if id, ok := p.revisionOf(w, service); ok {
			if s, ok := w.side(id); ok {
				d = s.deployment
			}
		}
		published, err := p.published(ctx, service, w.podsOf(d))
		if err != nil {
			return err
		}
		if published == 0 {
			return fault.Errorf(fault.Unavailable, "the Service %s has no endpoint yet, though pods behind it are ready", service).
				WithHint("the cluster writes EndpointSlices a moment after pods are ready; if that lasts, see how its kube-controller-manager does")
		}
	}
	return nil
}

// published is how many of the pods are ready endpoints of the Service. Where the worker may
// not ask, it is all of them.
func (p *Platform) published(ctx context.Context, service string, pods []*corev1.Pod) (int, error) {
	list, err := p.client(endpointSlices).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if apierrors.IsForbidden(err) {
		return len(pods), nil
	}
	if err != nil {
		return 0, faultOf(err, fmt.Sprintf("read EndpointSlices of %s", service))
	}
	ready := map[string]bool{}
	for i := range list.Items {
		s, err := slim[discoveryv1.EndpointSlice](&list.Items[i])
		if err != nil {
			return 0, err
		}
		for _, e := range s.Endpoints {
			if e.TargetRef != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				ready[e.TargetRef.Name] = true
			}
		}
	}
	n := 0
	for _, pod := range pods {
		if ready[pod.Name] {
			n++
		}
	}
	return n, nil
}
