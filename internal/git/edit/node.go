package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// keys of a document lead to a value: a string for a mapping, an int for a list.
type keys []any

func (k keys) with(more ...any) keys { return append(slices.Clone(k), more...) }

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entry returns key and value of a mapping, or nil. Merged mappings (<<) are not looked
// into: what stands there belongs to others as well.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// at returns the value that keys lead to, or nil.
func at(n *yaml.Node, where ...any) *yaml.Node {
	for _, key := range where {
		switch key := key.(type) {
		case string:
			_, n = entry(n, key)
		case int:
			n = element(n, key)
		}
		if n == nil {
			return nil
		}
	}
	return n
}

func element(n *yaml.Node, i int) *yaml.Node {
	if n = follow(n); n == nil || n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

// elements are what a list has; none if it is no list.
func elements(n *yaml.Node) []*yaml.Node {
	if n = follow(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// value is the text of a scalar, or empty.
func value(n *yaml.Node) string {
	if n = follow(n); n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// decode reads the values of all documents, for a comparison.
func decode(raw []byte) ([]any, error) {
	var documents []any
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var document any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
}

// verify reads a file that was edited, and says what is wrong unless it is the old one
// with wanted done to its documents.
func verify(old, edited []byte, wanted func(documents []any) error) error {
	was, err := decode(old)
	if err != nil {
		return err
	}
	if err := wanted(was); err != nil {
		return err
	}
	is, err := decode(edited)
	if err != nil {
		return fmt.Errorf("the edited file cannot be read: %w", err)
	}
	if !reflect.DeepEqual(was, is) {
		return errors.New("other values would change too: it is written in more than one place, or by an anchor that others use")
	}
	return nil
}

// put sets a value within decoded documents.
func put(into any, where keys, value any) error {
	for i, key := range where {
		last := i == len(where)-1
		var next any
		switch box := into.(type) {
		case map[string]any:
			name, ok := key.(string)
			if !ok {
				return fmt.Errorf("%v is no name", key)
			}
			if last {
				box[name] = value
			}
			next = box[name]
		case []any:
			index, ok := key.(int)
			if !ok || index < 0 || index >= len(box) {
				return fmt.Errorf("there is no element %v", key)
			}
			if last {
				box[index] = value
			}
			next = box[index]
		default:
			return fmt.Errorf("nothing can be set at %v", key)
		}
		into = next
	}
	return nil
}

// segments takes a dotted key apart.
func segments(key string) keys {
	var out keys
	name := ""
	add := func() {
		out, name = append(out, name), ""
	}
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key):
			i++
			name += key[i : i+1]
		case key[i] == '.':
			add()
		default:
			name += key[i : i+1]
		}
	}
	add()
	return out
}

// resolve turns names that are numbers into indices, where a list is.
func resolve(n *yaml.Node, names keys) keys {
	out := slices.Clone(names)
	for i, key := range out {
		if box := follow(n); box != nil && box.Kind == yaml.SequenceNode {
			if index, err := strconv.Atoi(key.(string)); err == nil {
				out[i] = index
			}
		}
		n = at(n, out[i])
	}
	return out
}
