package manifest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Workload names the container of a Deployment that runs the artifact. What is empty is
// found by Choose.
type Workload struct {
	Deployment string `json:"deployment,omitempty"`
	Container  string `json:"container,omitempty"`
}

// SetImage returns the objects with the image of the workload's container replaced by
// image, which must be pinned ("ghcr.io/acme/shop@sha256:…", with or without a tag).
// What is not named is chosen as Choose does. All other containers keep their images.
func SetImage(objects []Object, workload Workload, image string) ([]Object, error) {
	if !pinned.MatchString(image) {
		return nil, fault.Errorf(fault.Invalid, "the image %q is not pinned", image).
			WithHint("write REPOSITORY@sha256:DIGEST: a tag may be something else tomorrow")
	}
	workload, err := Choose(objects, workload, image)
	if err != nil {
		return nil, err
	}
	changed := slices.Clone(objects)
	at := slices.IndexFunc(objects, func(o Object) bool { return isDeployment(o) && o.Name == workload.Deployment })
	content, err := objects[at].content()
	if err != nil {
		return nil, err
	}
	spec := podSpec(objects[at].Kind, content)
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range mapsIn(spec, list) {
			if textIn(c, "name") == workload.Container {
				c["image"] = image
			}
		}
	}
	changed[at], err = objects[at].with(content)
	return changed, err
}

// Choose completes a workload. A Deployment that is not named is the only one, or the
// only one with a container of the image's repository; a container that is not named is
// the Deployment's only one, or the only one of that repository. An init container is
// chosen only by its name. Where that leaves no or several choices, the fault.Invalid
// lists them.
func Choose(objects []Object, workload Workload, image string) (Workload, error) {
	all, err := containersOf(objects)
	if err != nil {
		return Workload{}, err
	}
	repository := RepositoryOf(image)
	deployment, err := chooseDeployment(objects, all, workload.Deployment, repository)
	if err != nil {
		return Workload{}, err
	}
	all = slices.DeleteFunc(all, func(c container) bool { return c.deployment != deployment })
	name, err := chooseContainer(all, deployment, workload.Container, repository)
	return Workload{deployment, name}, err
}

// container is one that may be chosen.
type container struct {
	deployment, name, image string
	init                    bool
}

func containersOf(objects []Object) ([]container, error) {
	var all []container
	for _, o := range objects {
		if !isDeployment(o) {
			continue
		}
		content, err := o.content()
		if err != nil {
			return nil, err
		}
		spec := podSpec(o.Kind, content)
		for _, c := range mapsIn(spec, "containers") {
			all = append(all, container{o.Name, textIn(c, "name"), textIn(c, "image"), false})
		}
		for _, c := range mapsIn(spec, "initContainers") {
			all = append(all, container{o.Name, textIn(c, "name"), textIn(c, "image"), true})
		}
	}
	return all, nil
}

func chooseDeployment(objects []Object, all []container, name, repository string) (string, error) {
	var names, same []string
	for _, o := range objects {
		if isDeployment(o) {
			names = append(names, o.Name)
		}
	}
	for _, c := range all {
		if !c.init && RepositoryOf(c.image) == repository && !slices.Contains(same, c.deployment) {
			same = append(same, c.deployment)
		}
	}
	switch {
	case len(names) == 0:
		return "", fault.Errorf(fault.Invalid, "there is no Deployment among the %d objects", len(objects)).
			WithHint("a release needs the Deployment that runs its image")
	case name != "" && count(names, name) > 1:
		return "", fault.Errorf(fault.Invalid, "there are %d Deployments named %s, in several namespaces", count(names, name), name).
			WithHint("a release is of one namespace")
	case name != "" && slices.Contains(names, name):
		return name, nil
	case name != "":
		return "", fault.Errorf(fault.Invalid, "there is no Deployment %s", name).
			WithHint("there is: %s", strings.Join(names, ", "))
	case len(names) == 1:
		return names[0], nil
	case len(same) == 1 && count(names, same[0]) == 1:
		return same[0], nil
	case len(same) > 1:
		names = same
	}
	return "", fault.Errorf(fault.Invalid, "it is not clear which Deployment the image %s is for: there are %s",
		repository, strings.Join(names, ", ")).WithHint("name the Deployment")
}

func chooseContainer(all []container, deployment, name, repository string) (string, error) {
	var names, same, listed []string
	for _, c := range all {
		if name != "" && c.name == name {
			return name, nil
		}
		if c.init {
			continue
		}
		names = append(names, c.name)
		listed = append(listed, c.name+" ("+c.image+")")
		if RepositoryOf(c.image) == repository {
			same = append(same, c.name)
		}
	}
	switch {
	case len(names) == 0:
		return "", fault.Errorf(fault.Invalid, "the Deployment %s has no containers", deployment)
	case name != "":
		return "", fault.Errorf(fault.Invalid, "the Deployment %s has no container %s", deployment, name).
			WithHint("it has: %s", strings.Join(listed, ", "))
	case len(names) == 1:
		return names[0], nil
	case len(same) == 1:
		return same[0], nil
	}
	return "", fault.Errorf(fault.Invalid, "it is not clear which container of the Deployment %s the image %s is for: there are %s",
		deployment, repository, strings.Join(listed, ", ")).WithHint("name the container")
}

func isDeployment(o Object) bool { return o.is("apps", "Deployment") }

func count(names []string, name string) int {
	n := 0
	for _, one := range names {
		if one == name {
			n++
		}
	}
	return n
}

var pinned = regexp.MustCompile(`^[^\s@]+@sha256:[0-9a-f]{64}$`)

// RepositoryOf is an image's name without tag and digest, with the registry that is
// meant where none is written.
func RepositoryOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	registry, rest, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		registry, rest = "docker.io", name
	}
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if registry == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return registry + "/" + rest
}

// podSpec is the spec of the pods that an object of this kind describes, or nil.
func podSpec(kind string, content map[string]any) map[string]any {
	spec := mapIn(content, "spec")
	switch kind {
	case "Pod":
		return spec
	case "CronJob":
		spec = mapIn(mapIn(spec, "jobTemplate"), "spec")
	}
	return mapIn(mapIn(spec, "template"), "spec")
}
