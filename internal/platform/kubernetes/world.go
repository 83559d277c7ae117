package kubernetes

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
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
		return fault.Errorf(fault.Invalid, "the namespace %s is being deleted", p.settings.Namespace)
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

// revisionAtHome is what the home runs: what Fairway has settled there, or else, if
// somebody has changed it since or Fairway has never written it, the Deployment as it is.
func (p *Platform) revisionAtHome(w *world, d *appsv1.Deployment) (platform.Revision, error) {
	if d.Annotations[placedAnnotation] != "" {
		r, err := unpack(d)
		if err != nil {
			return platform.Revision{}, err
		}
		c, err := chosen(d.Spec.Template.Spec, p.settings.Container, r.Artifact)
		if err == nil && sameImage(c.Image, imageOf(r.Artifact)) {
			return r, nil
		}
	}
	r, err := adopted(d, p.settings)
	if r.Artifact.Digest == "" {
		r.Artifact.Digest = w.pulled(d, r.Artifact.Ref)
	}
	return r, err
}

// pulled is the digest of the image that the Deployment's pods run where it names none:
// as the nodes say, empty if they do not agree.
func (w *world) pulled(d *appsv1.Deployment, ref string) string {
	digest := ""
	for _, pod := range w.podsOf(d) {
		for _, c := range pod.Status.ContainerStatuses {
			image, found, _ := strings.Cut(c.ImageID, "@")
			if found == "" || manifest.RepositoryOf(image) != manifest.RepositoryOf(ref) {
				continue
			}
			if digest != "" && digest != found {
				return ""
			}
			digest = found
		}
	}
	return digest
}

// adopted describes a Deployment that Fairway has not written, so that it can be placed
// again wherever it is needed.
func adopted(d *appsv1.Deployment, s Settings) (platform.Revision, error) {
	template := d.Spec.Template.DeepCopy()
	delete(template.Annotations, "kubectl.kubernetes.io/restartedAt")
	text, err := json.Marshal(template)
	if err != nil {
		return platform.Revision{}, fault.Errorf(fault.Internal, "encode the pods of Deployment %s: %w", d.Name, err)
	}
	sum := sha256.Sum256(text)
	c, err := chosen(template.Spec, s.Container, platform.Artifact{})
	if err != nil {
		return platform.Revision{}, err
	}
	manifest, err := json.Marshal(&appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: d.Name},
		Spec:       appsv1.DeploymentSpec{Selector: d.Spec.Selector, Template: *template},
	})
	if err != nil {
		return platform.Revision{}, fault.Errorf(fault.Internal, "encode Deployment %s: %w", d.Name, err)
	}
	s.Objects = []json.RawMessage{manifest}
	settings, err := json.Marshal(s)
	if err != nil {
		return platform.Revision{}, fault.Errorf(fault.Internal, "encode settings: %w", err)
	}
	ref, digest, _ := strings.Cut(c.Image, "@")
	return platform.Revision{
		ID: "r-" + hex.EncodeToString(sum[:])[:12], Version: tagOf(ref),
		Artifact: platform.Artifact{Ref: ref, Digest: digest}, Settings: settings,
	}, nil
}

// tagOf is the tag of an image's name, which is what people call it; it may be empty.
func tagOf(ref string) string {
	last := ref[strings.LastIndex(ref, "/")+1:]
	_, tag, _ := strings.Cut(last, ":")
	return tag
}

// imageOf is an artifact as pods name it: by its digest, if that is known.
func imageOf(a platform.Artifact) string {
	ref, _, _ := strings.Cut(a.Ref, "@")
	if a.Digest == "" {
		return ref
	}
	return ref + "@" + a.Digest
}

// sameImage tells whether two names mean the same image: by their digests, where both have one.
func sameImage(a, b string) bool {
	_, first, _ := strings.Cut(a, "@")
	_, second, _ := strings.Cut(b, "@")
	if first == "" || second == "" {
		return a == b
	}
	return first == second && manifest.RepositoryOf(a) == manifest.RepositoryOf(b)
}

// chosen is the container whose image is released: the one of that name, the only one,
// or the one that runs another version of the artifact.
func chosen(spec corev1.PodSpec, name string, a platform.Artifact) (*corev1.Container, error) {
	var names []string
	var alike []*corev1.Container
	for i := range spec.Containers {
		c := &spec.Containers[i]
		if c.Name == name || name == "" && len(spec.Containers) == 1 {
			return c, nil
		}
		if a.Ref != "" && manifest.RepositoryOf(c.Image) == manifest.RepositoryOf(a.Ref) {
			alike = append(alike, c)
		}
		names = append(names, c.Name)
	}
	if name == "" && len(alike) == 1 {
		return alike[0], nil
	}
	if name == "" && a.Ref == "" { // adopted pods have to be called something
		return &spec.Containers[0], nil
	}
	return nil, fault.Errorf(fault.Invalid, "it is not clear which container of the pods is released; there are %s", strings.Join(names, ", ")).
		WithHint("name one: kubernetes: {container: %s}", names[0])
}

// maxPacked bounds a packed revision: annotations may have 256 KiB in all.
const maxPacked = 200 << 10

// pack writes a revision for an annotation.
func pack(r platform.Revision) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "encode revision %s: %w", r.ID, err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close() // into memory
	packed := base64.StdEncoding.EncodeToString(b.Bytes())
	if len(packed) > maxPacked {
		return "", fault.Errorf(fault.Invalid, "revision %s has %d bytes of manifests and config when packed, more than the %d that fit on an object", r.ID, len(packed), maxPacked).
			WithHint("put large data into the image")
	}
	return packed, nil
}

// unpack reads the revision that a Deployment was written for.
func unpack(d *appsv1.Deployment) (platform.Revision, error) {
	wrong := func(err error) (platform.Revision, error) {
		return platform.Revision{}, fault.Errorf(fault.Invalid, "the annotation %s of Deployment %s cannot be read: %w", placedAnnotation, d.Name, err).
			WithHint("somebody has changed it; delete the Deployment if it is not needed")
	}
	raw, err := base64.StdEncoding.DecodeString(d.Annotations[placedAnnotation])
	if err != nil {
		return wrong(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return wrong(err)
	}
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(z, most))
	if err != nil {
		return wrong(err)
	}
	var r platform.Revision
	if err := json.Unmarshal(text, &r); err != nil {
		return wrong(err)
	}
	if r.ID == "" {
		return wrong(fmt.Errorf("it names no revision"))
	}
	return r, nil
}
