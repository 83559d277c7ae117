package edit

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairwayhq/fairway/internal/fault"
)

// found is a container of the Deployment that is meant.
type found struct {
	file      string
	text      *text
	document  int
	where     keys // of its image, in the document
	image     *yaml.Node
	container string
}

// sought is what was seen while looking for a Deployment, to say it if there is none.
type sought struct {
	place       Place
	deployments map[string]bool
	containers  map[string]bool
	unreadable  map[string]bool
	found       []found
}

// setManifest sets the image of a container in plain YAML.
func setManifest(tree Tree, place Place, image Ref) (Result, error) {
	if place.Deployment == "" {
		return Result{}, fault.Errorf(fault.Invalid, "it is not said which Deployment in %q is meant", place.Path)
	}
	s, err := search(tree, place)
	if err != nil {
		return Result{}, err
	}
	f, err := s.only()
	if err != nil {
		return Result{}, err
	}
	before := value(f.image)
	if split(before).same(image) {
		return Result{File: f.file, Before: before}, nil
	}
	edited, err := f.set(image.String())
	if err != nil {
		return Result{}, inPlace(f.file, err)
	}
	return outcome(f.file, before, f.text.raw, edited), nil
}

// set replaces the image, and sees to it that nothing else has changed.
func (f found) set(image string) ([]byte, error) {
	c, err := f.text.replace(f.image, image)
	if err != nil {
		return nil, err
	}
	edited := f.text.apply(c)
	return edited, verify(f.text.raw, edited, func(documents []any) error {
		return put(documents[f.document], f.where, image)
	})
}

// search looks for the Deployment in all manifests below the place.
func search(tree Tree, place Place) (*sought, error) {
	s := &sought{place: place, deployments: map[string]bool{}, containers: map[string]bool{}, unreadable: map[string]bool{}}
	var files []string
	for _, file := range tree.Paths {
		if file == place.Path || (within(file, place.Path) && isManifest(file)) {
			files = append(files, file)
		}
	}
	texts, err := tree.Read(files...)
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, file := range files {
		// Most files have nothing to do with it, and templates are no YAML at all.
		if !strings.Contains(string(texts[file]), "Deployment") {
			continue
		}
		t, err := parse(texts[file])
		if err != nil {
			s.unreadable[file] = true
			continue
		}
		for i, document := range t.documents {
			s.object(file, t, i, document, nil)
		}
	}
	return s, nil
}

func isManifest(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// object looks at an object, or at those of a List.
func (s *sought) object(file string, t *text, document int, n *yaml.Node, where keys) {
	if value(at(n, "kind")) == "List" {
		for i, item := range elements(at(n, "items")) {
			s.object(file, t, document, item, where.with("items", i))
		}
		return
	}
	if value(at(n, "kind")) != "Deployment" {
		return
	}
	name, namespace := value(at(n, "metadata", "name")), value(at(n, "metadata", "namespace"))
	if name == "" { // {{ .Values.name }} can be read, and is no name
		s.unreadable[file] = true
		return
	}
	s.deployments[name] = true
	if name != s.place.Deployment || (s.place.Namespace != "" && namespace != "" && namespace != s.place.Namespace) {
		return
	}
	pod := keys{"spec", "template", "spec"}
	containers := elements(at(n, pod.with("containers")...))
	for i, c := range containers {
		if s.place.Container == "" && len(containers) > 1 {
			s.containers[value(at(c, "name"))] = true
			continue
		}
		s.container(found{file: file, text: t, document: document, where: where.with(pod...).with("containers", i, "image")}, c)
	}
	for i, c := range elements(at(n, pod.with("initContainers")...)) {
		if s.place.Container != "" {
			s.container(found{file: file, text: t, document: document, where: where.with(pod...).with("initContainers", i, "image")}, c)
		}
	}
}

func (s *sought) container(f found, c *yaml.Node) {
	f.container, f.image = value(at(c, "name")), at(c, "image")
	s.containers[f.container] = true
	if f.image != nil && (s.place.Container == "" || f.container == s.place.Container) {
		s.found = append(s.found, f)
	}
}

// only returns the one container that was found.
func (s *sought) only() (found, error) {
	what := "a Deployment " + s.place.Deployment
	switch {
	case len(s.found) == 1:
		return s.found[0], nil
	case len(s.found) > 1:
		files := map[string]bool{}
		for _, f := range s.found {
			files[f.file] = true
		}
		return found{}, fault.Errorf(fault.Invalid, "%q has more than one Deployment %s with the container %s, in %s", s.place.Path, s.place.Deployment, s.found[0].container, listed(files)).
			WithHint("name the file as the path, or the namespace")
	case len(s.containers) > 0 && s.place.Container == "":
		return found{}, fault.Errorf(fault.Invalid, "the Deployment %s has more than one container, or one without an image: %s", s.place.Deployment, listed(s.containers)).
			WithHint("say which of them is released")
	case len(s.containers) > 0:
		return found{}, fault.Errorf(fault.NotFound, "the Deployment %s has no container %s with an image", s.place.Deployment, s.place.Container).
			WithHint("its containers are %s", listed(s.containers))
	case len(s.deployments) > 0:
		return found{}, fault.Errorf(fault.NotFound, "%q has no %s", s.place.Path, strings.TrimPrefix(what, "a ")).
			WithHint("the Deployments there are %s", listed(s.deployments))
	case len(s.unreadable) > 0:
		return found{}, fault.Errorf(fault.NotFound, "%q has no %s that can be read: %s is no plain YAML", s.place.Path, strings.TrimPrefix(what, "a "), listed(s.unreadable)).
			WithHint("of templates, name the values: a path to the file with them, and the key of the image in it")
	}
	return found{}, fault.Errorf(fault.NotFound, "%q has no %s", s.place.Path, strings.TrimPrefix(what, "a "))
}

// inPlace says that a file cannot be edited.
func inPlace(file string, err error) error {
	return fault.Errorf(fault.Invalid, "the image in %s cannot be set in place: %w", file, err).
		WithHint("write it as a plain value of its own, on one line")
}
