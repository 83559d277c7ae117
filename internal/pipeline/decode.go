package pipeline

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills Go values from YAML nodes by their struct tags. It goes on after
// a fault, so that all faults of a file are found at once. The tags are:
//
//	yaml:"key,required"   the key, and that it must be there
//	yaml:"key,short"      text or a list in place of the mapping sets this field
//	yaml:"key,kind"       exactly one of these; a bare word chooses one
//	yaml:",inline"        the fields of an embedded struct belong to this mapping
//	enum:"a b"            the allowed words
//	min:"1" max:"10m"     bounds, written like the value; of a list, its length
//	check:"name"          the named check of a text, see checks; keys: of a map's keys
//	default:"10m"         what Compile fills in, see fillDefaults
//	example:"…"           for hints and the reference
type decoder struct {
	*source
	// values and keys are the places by path, for checks across fields.
	values, keys map[string]place
	anchors      map[string]ast.Node
	open         map[string]bool
	// unread are the paths of mappings that were something else.
	unread map[string]bool
	budget int
}

// maxNodes bounds what aliases can expand to.
const maxNodes = 50_000

func newDecoder(s *source) *decoder {
	return &decoder{source: s, values: map[string]place{}, keys: map[string]place{},
		anchors: map[string]ast.Node{}, open: map[string]bool{}, unread: map[string]bool{}, budget: maxNodes}
}

// decode fills v from the node at the path. After a fault v may be half-filled.
func (d *decoder) decode(v reflect.Value, n ast.Node, path string, f field) {
	if d.budget--; d.budget < 0 {
		if d.budget == -1 {
			d.fault(nodePlace(n), "write out what the aliases stand for", "the aliases in this file expand to more than %d values", maxNodes)
		}
		return
	}
	n, done := d.resolve(n)
	defer done()
	if n == nil {
		return
	}
	d.values[path] = nodePlace(n)
	switch target := v.Addr().Interface().(type) {
	case *Needs:
		d.decodeNeeds(target, n, path)
		return
	case *CommandLine:
		d.decodeCommand(target, n, path, f)
		return
	case *WaveDefinition:
		d.decodeWave(target, n, path, f)
		return
	case encoding.TextUnmarshaler:
		d.decodeText(v, target, n, f)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(v.Elem(), n, path, f)
	case reflect.Struct:
		d.decodeStruct(v, n, path, f)
	case reflect.Slice:
		d.decodeList(v, n, path, f)
	case reflect.Map:
		d.decodeMap(v, n, path, f)
	default:
		d.decodeScalar(v, n, f)
	}
}

// resolve follows aliases and takes anchors and the standard tags off a node. The
// caller calls done when it has read the node.
func (d *decoder) resolve(n ast.Node) (_ ast.Node, done func()) {
	done = func() {}
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.anchors[v.Name.GetToken().Value] = v.Value
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			target, ok := d.anchors[name]
			if !ok {
				d.fault(nodePlace(n), "an anchor `&"+name+"` must stand before it", "there is no anchor %q for this alias", name)
				return nil, done
			}
			if d.open[name] {
				d.fault(nodePlace(n), "write out what it should stand for", "the alias %q stands inside itself", name)
				return nil, done
			}
			d.open[name] = true
			before := done
			done = func() { delete(d.open, name); before() }
			n = target
		case *ast.TagNode:
			d.fault(nodePlace(n), "leave the tag out; put text in quotes where it looks like a number", "the tag %s has no meaning here", v.GetToken().Value)
			return nil, done
		case nil:
			return nil, done
		default:
			return n, done
		}
	}
}

// decodeStruct reads a mapping, or the short form of one.
func (d *decoder) decodeStruct(v reflect.Value, n ast.Node, path string, f field) {
	shape := shapeOf(v.Type())
	entries, isMapping := mappingOf(n)
	if !isMapping {
		d.decodeShort(v, shape, n, path, f)
		return
	}
	seen := map[string]bool{}
	for _, e := range d.merged(entries) {
		key, ok := d.key(e.Key)
		if !ok {
			continue
		}
		fd, known := shape.field(key)
		if !known {
			d.fault(nodePlace(e.Key), shape.suggest(key), "unknown key %q%s", key, inside(f))
			// What it was meant to be is not missed as well.
			seen[nearest(key, shape.names())] = true
			continue
		}
		seen[key] = true
		below := join(path, key)
		d.keys[below] = nodePlace(e.Key)
		d.decode(v.FieldByIndex(fd.index), e.Value, below, fd)
	}
	d.checkRequired(shape, seen, n, path, f)
}

func (d *decoder) checkRequired(shape shape, seen map[string]bool, n ast.Node, path string, f field) {
	at := nodePlace(n)
	if key, ok := d.keys[path]; ok {
		at = key
	}
	var kinds []string
	for _, fd := range shape.fields {
		if fd.kind && seen[fd.name] {
			kinds = append(kinds, fd.name)
		}
		if fd.required && !seen[fd.name] {
			d.fault(at, "for instance: "+fd.name+": "+fd.example, "%q is missing%s", fd.name, inside(f))
		}
	}
	if words := shape.kinds(); len(words) > 0 && len(kinds) == 0 && !d.unread[path] {
		d.fault(nodePlace(n), "the kinds are "+list(words, "and"), "the stage has no kind")
	} else if len(kinds) > 1 {
		d.fault(d.keys[join(path, kinds[1])], "begin a new stage with `- `", "a stage has one kind, but here are %s", list(kinds, "and"))
	}
}

// decodeShort reads text or a list that stands for a mapping, or nothing at all.
func (d *decoder) decodeShort(v reflect.Value, shape shape, n ast.Node, path string, f field) {
	if words := shape.kinds(); len(words) > 0 && n.Type() == ast.StringType {
		word := n.GetToken().Value
		fd, ok := shape.field(word)
		if !ok || !fd.kind {
			d.fault(nodePlace(n), meant(word, words, "the kinds are ", "and"), "unknown kind of stage %q", word)
			return
		}
		kind := reflect.New(v.FieldByIndex(fd.index).Type().Elem())
		v.FieldByIndex(fd.index).Set(kind)
		d.keys[join(path, word)] = nodePlace(n)
		d.checkRequired(shapeOf(kind.Elem().Type()), nil, n, join(path, word), fd)
		return
	}
	if n.Type() == ast.NullType {
		d.checkRequired(shape, nil, n, path, f)
		return
	}
	for _, fd := range shape.fields {
		if fd.short {
			below := join(path, fd.name)
			if fd.name == "" {
				below, fd.name = path, f.name
			}
			d.decode(v.FieldByIndex(fd.index), n, below, fd)
			return
		}
	}
	d.unread[path] = true
	d.fault(nodePlace(n), f.like(shape.sample()), "%s must be a mapping, not %s", f.title(), kindOf(n))
}

func (d *decoder) decodeList(v reflect.Value, n ast.Node, path string, f field) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(nodePlace(n), f.like("[…]"), "%s must be a list, not %s", f.title(), kindOf(n))
		return
	}
	if lo, ok := f.bound("min"); ok && float64(len(seq.Values)) < lo {
		d.fault(nodePlace(n), f.like("[…]"), "%s is empty", f.title())
	}
	if hi, ok := f.bound("max"); ok && float64(len(seq.Values)) > hi {
		d.fault(nodePlace(n), "", "%s has %d entries, at most %v are possible", f.title(), len(seq.Values), hi)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		below := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			continue
		}
		d.decode(v.Index(i), item, below, f.element())
	}
}

func (d *decoder) decodeMap(v reflect.Value, n ast.Node, path string, f field) {
	entries, ok := mappingOf(n)
	if !ok {
		if n.Type() != ast.NullType {
			d.fault(nodePlace(n), f.like("{…}"), "%s must be a mapping, not %s", f.title(), kindOf(n))
		}
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.merged(entries) {
		key, ok := d.key(e.Key)
		if !ok {
			continue
		}
		if check := checks[f.tag.Get("keys")]; check != nil {
			d.problem(nodePlace(e.Key), nil, check(key))
		}
		below := join(path, key)
		d.keys[below] = nodePlace(e.Key)
		value := reflect.New(v.Type().Elem()).Elem()
		// What a variable is set to is text, however it is written.
		d.decode(value, e.Value, below, f.value(key))
		v.SetMapIndex(reflect.ValueOf(key), value)
	}
}

// merged returns the entries with `<<` laid under them, and without duplicates, which are faults.
func (d *decoder) merged(entries []*ast.MappingValueNode) []*ast.MappingValueNode {
	var own []*ast.MappingValueNode
	first := map[string]place{}
	for _, e := range entries {
		if e.Key.IsMergeKey() {
			continue
		}
		name := e.Key.GetToken().Value
		if at, twice := first[name]; twice {
			d.fault(nodePlace(e.Key), fmt.Sprintf("it is on line %d already; keep one of them", at.line), "the key %q is written twice", name)
			continue
		}
		first[name] = nodePlace(e.Key)
		own = append(own, e)
	}
	for _, e := range entries {
		if !e.Key.IsMergeKey() {
			continue
		}
		n, done := d.resolve(e.Value)
		more, ok := mappingOf(n)
		if n != nil && !ok {
			d.fault(nodePlace(e.Value), "for instance: <<: *defaults", "`<<` needs an alias of a mapping")
		}
		for _, m := range more {
			name := m.Key.GetToken().Value
			if _, ok := first[name]; !ok && !m.Key.IsMergeKey() {
				first[name] = nodePlace(m.Key)
				own = append(own, m)
			}
		}
		done()
	}
	return own
}

// key reads a mapping's key, which must be plain text.
func (d *decoder) key(k ast.MapKeyNode) (string, bool) {
	switch k.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return k.GetToken().Value, true
	}
	d.fault(nodePlace(k), "write `key: value`", "a key must be text")
	return "", false
}

func mappingOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}, true
	}
	return nil, false
}

func join(path, key string) string {
	return strings.TrimPrefix(path+"."+key, ".")
}
