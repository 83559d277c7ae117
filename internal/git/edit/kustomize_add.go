package edit

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairwayhq/fairway/internal/fault"
)

// addEntry adds an entry to images. One for a name that no resource uses would change
// nothing that runs, so it is refused where all resources can be seen.
func addEntry(tree Tree, file string, t *text, place Place, image Ref) (Result, error) {
	name := nameOf(place, image)
	used := usage{tree: tree, names: map[string]bool{}, seen: map[string]bool{}}
	if err := used.kustomization(file); err != nil {
		return Result{}, err
	}
	if !used.unknown && !used.names[name] {
		return Result{}, fault.Errorf(fault.NotFound, "no resource of %s has an image %s", file, name).
			WithHint("say by which name the resources call it; they use %s", listed(used.names))
	}
	fields := []string{"name", name, "digest", image.Digest}
	if name != image.Name {
		fields = []string{"name", name, "newName", image.Name, "digest", image.Digest}
	}
	c, err := t.newEntry(t.documents[0], fields)
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	edited := t.apply(c)
	err = verify(t.raw, edited, func(documents []any) error {
		root, ok := documents[0].(map[string]any)
		if !ok {
			return errors.New("it is no mapping")
		}
		list, _ := root["images"].([]any)
		entry := map[string]any{}
		for i := 0; i < len(fields); i += 2 {
			entry[fields[i]] = fields[i+1]
		}
		if c.first {
			root["images"] = append([]any{entry}, list...)
		} else {
			root["images"] = append(list, entry)
		}
		return nil
	})
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	return outcome(file, "", t.raw, edited), nil
}

// newEntry is the change that adds an entry to images: at the end of the list, or at
// its beginning where it is written in brackets.
func (t *text) newEntry(root *yaml.Node, fields []string) (change, error) {
	k, images := entry(root, "images")
	flow := "{"
	var lines []string
	for i := 0; i < len(fields); i += 2 {
		pair := fields[i] + ": " + plain(fields[i+1])
		lines = append(lines, pair)
	}
	flow += strings.Join(lines, ", ") + "}"
	block := func(column int) string {
		return "- " + strings.Join(lines, t.lineBreak()+strings.Repeat(" ", column+1))
	}
	switch {
	case root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0:
		return change{}, errors.New("it has no images, and is not written line by line")
	case k == nil:
		// Before the end of the file there may be anything but another line of the root.
		at, column := len(t.raw), root.Column
		text := "images:" + t.lineBreak() + strings.Repeat(" ", column-1) + block(column) + t.lineBreak()
		if !bytes.HasSuffix(t.raw, []byte("\n")) {
			text = t.lineBreak() + text
		}
		return change{from: at, to: at, by: strings.Repeat(" ", column-1) + text}, nil
	case images.Kind == yaml.ScalarNode && images.Value == "":
		return t.lineBehind(k.Line, k.Column, block(k.Column)), nil
	case images.Kind != yaml.SequenceNode:
		return change{}, errors.New("its images are no list")
	case images.Style&yaml.FlowStyle != 0:
		at, err := t.offset(images.Line, images.Column)
		if err != nil || t.raw[at] != '[' {
			return change{}, errors.New("the beginning of its images is not found")
		}
		if len(images.Content) > 0 {
			flow += ", "
		}
		return change{from: at + 1, to: at + 1, by: flow, first: true}, nil
	}
	line, err := t.lastLine(images)
	if err != nil {
		return change{}, err
	}
	return t.lineBehind(line, images.Column, block(images.Column)), nil
}

// lastLine is the line in which a node ends.
func (t *text) lastLine(n *yaml.Node) (int, error) {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	_, end, err := t.span(n)
	if err != nil {
		return 0, err
	}
	line, _ := slices.BinarySearch(t.starts, end+1)
	// Behind a value in braces, only what closes it may follow in other lines.
	if rest := t.raw[end:]; len(rest) > 0 && bytes.IndexByte([]byte("]}"), rest[0]) >= 0 {
		return 0, errors.New("its last image is written in braces")
	}
	return line, nil
}

// usage is which images the resources of a kustomization have.
type usage struct {
	tree    Tree
	names   map[string]bool
	seen    map[string]bool
	unknown bool // some resources cannot be seen from here
}

// kustomization looks through one, and those that it is made of.
func (u *usage) kustomization(file string) error {
	if u.seen[file] {
		return nil
	}
	u.seen[file] = true
	raw, err := readOne(u.tree, file)
	if err != nil {
		return err
	}
	t, err := parse(raw)
	if err != nil || len(t.documents) != 1 {
		u.unknown = true
		return nil
	}
	root := t.documents[0]
	for _, elsewhere := range []string{"helmCharts", "generators", "transformers", "components"} {
		u.unknown = u.unknown || at(root, elsewhere) != nil
	}
	for _, e := range elements(at(root, "images")) {
		// A base may rename an image; from above, only the new name counts.
		if name := value(at(e, "newName")); name != "" {
			u.names[name] = true
		}
	}
	for _, kind := range []string{"resources", "bases"} {
		for _, r := range elements(at(root, kind)) {
			if err := u.resource(path.Join(path.Dir(file), value(r))); err != nil {
				return err
			}
		}
	}
	return nil
}

// resource looks through a file or a folder that a kustomization names.
func (u *usage) resource(name string) error {
	folder, err := kustomizationOf(u.tree, name)
	switch {
	case err != nil:
		return err
	case folder != "":
		return u.kustomization(folder)
	case !slices.Contains(u.tree.Paths, name):
		u.unknown = true // it is a URL, or is missing, which is not for here to say
		return nil
	}
	raw, err := readOne(u.tree, name)
	if err != nil {
		return err
	}
	t, err := parse(raw)
	if err != nil {
		u.unknown = true
		return nil
	}
	for _, document := range t.documents {
		u.images(document)
	}
	return nil
}

// images notes the images of all containers below a node.
func (u *usage) images(n *yaml.Node) {
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range elements(at(n, list)) {
			if image := value(at(c, "image")); image != "" {
				u.names[split(image).Name] = true
			}
		}
	}
	for _, child := range n.Content {
		u.images(child)
	}
}
