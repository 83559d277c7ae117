package edit

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairwayhq/fairway/internal/fault"
)

// setValue sets a value of a Helm chart, or of any other YAML file, by its key.
func setValue(tree Tree, place Place, image Ref) (Result, error) {
	file, err := valuesFile(tree.Paths, place.Path)
	if err != nil {
		return Result{}, err
	}
	raw, err := readOne(tree, file)
	if err != nil {
		return Result{}, err
	}
	t, err := parse(raw)
	if err != nil {
		return Result{}, fault.Errorf(fault.Invalid, "%s is no YAML: %w", file, err)
	}
	document, where, node, err := lookUp(t, file, place.Key)
	if err != nil {
		return Result{}, err
	}
	before := value(node)
	wanted, set, err := valueFor(place.Key, before, image)
	if err != nil || set {
		return Result{File: file, Before: before}, err
	}
	c, err := t.replace(node, wanted)
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	edited := t.apply(c)
	err = verify(raw, edited, func(documents []any) error { return put(documents[document], where, wanted) })
	if err != nil {
		return Result{}, inPlace(file, err)
	}
	return outcome(file, before, raw, edited), nil
}

// valuesFile finds the file with the values.
func valuesFile(paths []string, place string) (string, error) {
	for _, file := range []string{place, path.Join(place, "values.yaml"), path.Join(place, "values.yml")} {
		if slices.Contains(paths, file) {
			return file, nil
		}
	}
	return "", fault.Errorf(fault.NotFound, "%q has no values.yaml", place).
		WithHint("name the file with the values as the path")
}

// lookUp finds the one value with a key.
func lookUp(t *text, file, key string) (document int, where keys, node *yaml.Node, err error) {
	for i, root := range t.documents {
		here := resolve(root, segments(key))
		n := at(root, here...)
		switch {
		case n == nil:
		case node != nil:
			return 0, nil, nil, fault.Errorf(fault.Invalid, "%s has %s in more than one document", file, key)
		default:
			document, where, node = i, here, n
		}
	}
	if node == nil {
		return 0, nil, nil, fault.Errorf(fault.NotFound, "%s has no value %s", file, key).
			WithHint("%s", missing(t, key))
	}
	if n := follow(node); n.Kind != yaml.ScalarNode {
		return 0, nil, nil, fault.Errorf(fault.Invalid, "%s in %s is not a single value", key, file).
			WithHint("name one of those in it: %s", listed(names(n, key+".")))
	}
	return document, where, node, nil
}

// missing says how far a key leads, and what is there.
func missing(t *text, key string) string {
	parts := segments(key)
	for n := len(parts) - 1; n >= 0; n-- {
		for _, root := range t.documents {
			box := at(root, resolve(root, parts[:n])...)
			if there := names(follow(box), ""); len(there) > 0 {
				prefix := "there are"
				if n > 0 {
					prefix = strings.Join(strings.Split(key, ".")[:n], ".") + " has"
				}
				return prefix + " " + listed(there) + "; add the key there, or name another"
			}
		}
	}
	return "the file has no values"
}

// names are the keys of a mapping.
func names(n *yaml.Node, prefix string) map[string]bool {
	there := map[string]bool{}
	if n == nil || n.Kind != yaml.MappingNode {
		return there
	}
	for i := 0; i < len(n.Content); i += 2 {
		there[prefix+n.Content[i].Value] = true
	}
	return there
}

// valueFor says what a key with this name is set to, or that it is so already.
func valueFor(key, before string, image Ref) (wanted string, set bool, err error) {
	last := strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])
	switch {
	case strings.HasSuffix(last, "digest"):
		return image.Digest, before == image.Digest, nil
	case !strings.HasSuffix(last, "tag"):
		return image.String(), split(before).same(image), nil
	case strings.HasSuffix(before, "@"+image.Digest):
		return before, true, nil
	case image.Tag == "":
		return "", false, fault.Errorf(fault.Invalid, "%s is set to a tag with a digest, and the image has no tag: %s", key, image).
			WithHint("release the image as NAME:TAG@DIGEST, or name the key of a digest")
	}
	return image.Tag + "@" + image.Digest, false, nil
}
