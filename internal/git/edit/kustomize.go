package edit

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairwayhq/fairway/internal/fault"
)

// kustomizationFiles are the names that Kustomize knows.
var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// kustomizationOf finds the kustomization that a path leads to, or none.
func kustomizationOf(tree Tree, place string) (string, error) {
	if slices.Contains(tree.Paths, place) {
		if slices.Contains(kustomizationFiles, path.Base(place)) {
			return place, nil
		}
		return "", nil
	}
	var there []string
	for _, name := range kustomizationFiles {
		if file := path.Join(place, name); slices.Contains(tree.Paths, file) {
			there = append(there, file)
		}
	}
	if len(there) > 1 {
		return "", fault.Errorf(fault.Invalid, "%q has more than one kustomization: %s", place, strings.Join(there, ", "))
	}
	if len(there) == 0 {
		return "", nil
	}
	return there[0], nil
}

// setKustomization sets the image by an entry of images.
func setKustomization(tree Tree, file string, place Place, image Ref) (Result, error) {
	raw, err := readOne(tree, file)
	if err != nil {
		return Result{}, err
	}
	t, err := parse(raw)
	if err != nil {
		return Result{}, fault.Errorf(fault.Invalid, "%s is no YAML: %w", file, err)
	}
	if len(t.documents) != 1 {
		return Result{}, fault.Errorf(fault.Invalid, "%s has %d documents, and a kustomization has one", file, len(t.documents))
	}
	root := t.documents[0]
	index, err := entryFor(root, file, place, image)
	if err != nil {
		return Result{}, err
	}
	if index < 0 {
		return addEntry(tree, file, t, place, image)
	}
	e := kustomizeEntry{t: t, node: follow(at(root, "images", index))}
	before := e.before()
	if e.get("digest") == image.Digest && e.effective() == image.Name {
		return Result{File: file, Before: before}, nil
	}
	changes, fields, err := e.set(image)
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	edited := t.apply(changes...)
	err = verify(raw, edited, func(documents []any) error {
		return put(documents[0], keys{"images", index}, fields)
	})
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	return outcome(file, before, raw, edited), nil
}

// entryFor finds the entry of the image: by the name that the resources use, else by
// the name that it gives. It is -1 where there is none.
func entryFor(root *yaml.Node, file string, place Place, image Ref) (int, error) {
	var byName, byNewName []int
	for i, e := range elements(at(root, "images")) {
		name := value(at(e, "name"))
		if name == "" {
			continue
		}
		if name == place.Name || (place.Name == "" && name == image.Name) {
			byName = append(byName, i)
		}
		if place.Name == "" && value(at(e, "newName")) == image.Name {
			byNewName = append(byNewName, i)
		}
	}
	for _, found := range [][]int{byName, byNewName} {
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return 0, fault.Errorf(fault.Invalid, "%s has more than one entry of images for %s", file, nameOf(place, image)).
				WithHint("say by which name the resources call the image")
		}
	}
	return -1, nil
}

// nameOf is the name by which the resources call the image.
func nameOf(place Place, image Ref) string {
	if place.Name != "" {
		return place.Name
	}
	return image.Name
}

// kustomizeEntry is one entry of images.
type kustomizeEntry struct {
	t    *text
	node *yaml.Node
}

func (e kustomizeEntry) get(key string) string { return value(at(e.node, key)) }

// effective is the name of the image that comes out.
func (e kustomizeEntry) effective() string {
	if name := e.get("newName"); name != "" {
		return name
	}
	return e.get("name")
}

func (e kustomizeEntry) before() string {
	return Ref{Name: e.effective(), Tag: e.get("newTag"), Digest: e.get("digest")}.String()
}

// set returns the changes that make the entry name the image, and what it is then. A
// tag that is there already goes with the digest: the one of another image would mislead.
func (e kustomizeEntry) set(image Ref) ([]change, map[string]any, error) {
	s := entryChange{kustomizeEntry: e, fields: map[string]any{}}
	if err := e.node.Decode(&s.fields); err != nil {
		return nil, nil, err
	}
	if e.effective() != image.Name {
		s.put("newName", image.Name)
	}
	hasTag, hasDigest := at(e.node, "newTag") != nil, at(e.node, "digest") != nil
	switch {
	case hasTag && image.Tag != "":
		s.put("newTag", image.Tag)
		s.put("digest", image.Digest)
	case hasTag && hasDigest:
		s.remove("newTag")
		s.put("digest", image.Digest)
	case hasTag:
		s.rename("newTag", "digest")
		s.put("newTag", image.Digest) // the one that is renamed
		s.fields["digest"] = image.Digest
		delete(s.fields, "newTag")
	default:
		s.put("digest", image.Digest)
	}
	slices.SortStableFunc(s.changes, func(a, b change) int { return a.from - b.from })
	return s.changes, s.fields, s.err
}
