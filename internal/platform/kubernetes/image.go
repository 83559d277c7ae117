package kubernetes

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/platform"
)

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
	if len(spec.Containers) == 0 { // an API server refuses that, a repository does not
		return nil, fault.Errorf(fault.Invalid, "the pods of the Deployment have no containers").
			WithHint("write the container that runs the service: spec.template.spec.containers")
	}
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
