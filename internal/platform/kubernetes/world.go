package kubernetes

import (
	"cmp"
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// world is a target as it was at one look.
type world struct {
	target platform.Target
	anchor *unstructured.Unstructured
	split  split
	mark   *mark // nil before Fairway's first write
	// claimed tells that the verb has written the anchor: nobody has done so since the look.
	claimed bool
	// home is the user's Deployment, nil where there is none; homeRevision is what it runs.
	home         *appsv1.Deployment
	homeRevision platform.Revision
	sides        []side
	replicaSets  []*appsv1.ReplicaSet
	pods         []*corev1.Pod
}

// side is a revision beside the home.
type side struct {
	deployment *appsv1.Deployment
	revision   platform.Revision
}

func (p *Platform) client(r schema.GroupVersionResource) dynamic.ResourceInterface {
	return p.cluster.client.Resource(r).Namespace(p.settings.Namespace)
}

func (p *Platform) namespace() *namespace { return p.cluster.in(p.settings.Namespace) }

func (p *Platform) anchorResource() schema.GroupVersionResource {
	switch {
	case p.byPods():
		return services
	case p.settings.Route.Kind == "GRPCRoute":
		return grpcRoutes
	}
	return httpRoutes
}

// byPods tells that there is no route: the one Service splits the traffic.
func (p *Platform) byPods() bool { return p.settings.Route.Name == "" }

func (p *Platform) anchorName() string {
	if p.byPods() {
		return p.settings.Service
	}
	return p.settings.Route.Name
}

func (p *Platform) anchors() *mirror[*unstructured.Unstructured] {
	return p.namespace().anchor(p.cluster, p.settings.Namespace, anchorName{p.anchorResource(), p.anchorName()})
}

// look reads the target; direct reads past the mirror. While it has sides, their pods are
// kept in line from then on.
func (p *Platform) look(ctx context.Context, direct bool) (*world, error) {
	w := &world{}
	anchors, err := p.anchors().list(ctx, direct)
	if err != nil {
		return nil, faultOf(err, "read "+p.anchorText())
	}
	if len(anchors) == 0 {
		return nil, p.noAnchor(ctx)
	}
	w.anchor = anchors[0]
	if w.mark, err = readMark(w.anchor); err != nil {
		return nil, err
	}
	if w.replicaSets, err = p.namespace().replicaSets.list(ctx, direct); err != nil {
		return nil, faultOf(err, "read ReplicaSets")
	}
	if w.pods, err = p.namespace().pods.list(ctx, direct); err != nil {
		return nil, faultOf(err, "read Pods")
	}
	if err := p.lookAtDeployments(ctx, w, direct); err != nil {
		return nil, err
	}
	if w.split, err = p.splitOf(w); err != nil {
		return nil, err
	}
	if p.byPods() && w.mark != nil && len(w.sides) > 0 {
		p.keepOn()
	}
	return w, nil
}

// noAnchor says why there is no route or Service, as far as the worker may know.
func (p *Platform) noAnchor(ctx context.Context) error {
	if err := p.noNamespace(ctx); err != nil {
		return err
	}
	missing := fault.Errorf(fault.Invalid, "there is no %s in the namespace %s", p.anchorText(), p.settings.Namespace)
	if p.byPods() {
		return missing.WithHint("`service` names what leads to the pods of the Deployment %s; make it first, or correct the name", p.settings.Deployment)
	}
	return missing.WithHint("`route` names what leads traffic to the Service %s; make it first, or correct the name. Where there is no gateway: kubernetes: {split: pods}", p.settings.Service)
}

// noNamespace says that the namespace is not there or goes; nil if it stays, or if the
// worker may not know.
func (p *Platform) noNamespace(ctx context.Context) error {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	n, err := p.cluster.client.Resource(namespaces).Get(ctx, p.settings.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return fault.Errorf(fault.Invalid, "there is no namespace %s", p.settings.Namespace).
			WithHint("correct `namespace`, or `context`, if it is on another cluster")
	case err == nil && n.GetDeletionTimestamp() != nil:
		return fault.Errorf(fault.Invalid, "the namespace %s is being deleted", p.settings.Namespace).WithHint(hintNamespaceGoes)
	}
	return nil
}

func (p *Platform) anchorText() string {
	if p.byPods() {
		return "Service " + p.settings.Service
	}
	return p.settings.Route.Kind + " " + p.settings.Route.Name
}

func (p *Platform) lookAtDeployments(ctx context.Context, w *world, direct bool) error {
	all, err := p.namespace().deployments.list(ctx, direct)
	if err != nil {
		return faultOf(err, "read Deployments")
	}
	for _, d := range all {
		switch {
		case d.Name == p.settings.Deployment:
			w.home = d
			if w.homeRevision, err = p.revisionAtHome(w, d); err != nil {
				return err
			}
		case d.Labels[homeLabel] == p.settings.Deployment:
			r, err := unpack(d)
			if err != nil {
				return err
			}
			w.sides = append(w.sides, side{deployment: d, revision: r})
		}
	}
	slices.SortFunc(w.sides, func(a, b side) int { return cmp.Compare(a.revision.ID, b.revision.ID) })
	return nil
}

// side returns the side with a revision.
func (w *world) side(revision string) (side, bool) {
	for _, s := range w.sides {
		if s.revision.ID == revision {
			return s, true
		}
	}
	return side{}, false
}

// atHome tells whether the home runs the revision.
func (w *world) atHome(revision string) bool { return w.home != nil && w.homeRevision.ID == revision }

// service is where a revision's traffic goes: to its side, if it has one.
func (p *Platform) service(w *world, revision string) (string, bool) {
	if _, ok := w.side(revision); ok {
		return p.sideName(revision), true
	}
	return p.settings.Service, w.atHome(revision)
}

// services are the home's Service and those of all sides.
func (p *Platform) services(w *world) []string {
	all := []string{p.settings.Service}
	for _, s := range w.sides {
		all = append(all, p.sideName(s.revision.ID))
	}
	return all
}
