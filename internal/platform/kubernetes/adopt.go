package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/platform"
)

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
	own, err := json.Marshal(&appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: d.Name},
		Spec:       appsv1.DeploymentSpec{Selector: d.Spec.Selector, Template: *template, Strategy: d.Spec.Strategy},
	})
	if err != nil {
		return platform.Revision{}, fault.Errorf(fault.Internal, "encode Deployment %s: %w", d.Name, err)
	}
	s.Objects = []json.RawMessage{own}
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
