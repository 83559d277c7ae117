package edit

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entryChange collects what is changed in one entry of images.
type entryChange struct {
	kustomizeEntry
	changes []change
	fields  map[string]any
	err     error
}

func (s *entryChange) note(c change, err error) {
	if err != nil && s.err == nil {
		s.err = err
	}
	s.changes = append(s.changes, c)
}

// put sets a field, or adds it behind the name.
func (s *entryChange) put(key, value string) {
	s.fields[key] = value
	if _, v := entry(s.node, key); v != nil {
		s.note(s.t.replace(v, value))
		return
	}
	s.note(s.t.addKey(s.node, "name", key, value))
}

// rename gives a key another name.
func (s *entryChange) rename(key, name string) {
	k, _ := entry(s.node, key)
	s.note(s.t.replace(k, name))
}

// remove takes a field out.
func (s *entryChange) remove(key string) {
	delete(s.fields, key)
	s.note(s.t.removeKey(s.node, key))
}

// addKey adds a key to a mapping, behind another one.
func (t *text) addKey(mapping *yaml.Node, behind, key, value string) (change, error) {
	k, v := entry(mapping, behind)
	if v == nil {
		return change{}, errors.New("an entry of images has no name")
	}
	_, end, err := t.span(v)
	if err != nil {
		return change{}, err
	}
	if mapping.Style&yaml.FlowStyle != 0 {
		return change{from: end, to: end, by: ", " + quotedLike(t, k, key) + ": " + quotedLike(t, v, value)}, nil
	}
	return t.lineBehind(v.Line, k.Column, key+": "+plain(value)), nil
}

// quotedLike writes a text in double quotes where another one has them, as in JSON.
func quotedLike(t *text, n *yaml.Node, text string) string {
	if n.Style&yaml.DoubleQuotedStyle != 0 {
		return `"` + text + `"`
	}
	return plain(text)
}

// lineBehind adds a line behind another one, at a column.
func (t *text) lineBehind(line, column int, content string) change {
	at, lineBreak := t.lineEnd(line)
	indent := strings.Repeat(" ", column-1)
	if lineBreak == "" { // the last line has no end
		return change{from: at, to: at, by: t.lineBreak() + indent + content}
	}
	return change{from: at, to: at, by: indent + content + lineBreak}
}

// removeKey takes a key and its value out of a mapping.
func (t *text) removeKey(mapping *yaml.Node, key string) (change, error) {
	i := 0
	for mapping.Content[i].Value != key {
		i += 2
	}
	k, v := mapping.Content[i], mapping.Content[i+1]
	from, _, err := t.span(k)
	if err != nil {
		return change{}, err
	}
	_, to, err := t.span(v)
	if err != nil {
		return change{}, err
	}
	var next int
	if i+2 < len(mapping.Content) {
		if next, _, err = t.span(mapping.Content[i+2]); err != nil {
			return change{}, err
		}
	}
	lineStart := t.starts[k.Line-1]
	switch flow := mapping.Style&yaml.FlowStyle != 0; {
	case flow && next > 0:
		return change{from: from, to: next, by: ""}, nil
	case flow:
		_, before, err := t.span(mapping.Content[i-1])
		return change{from: before, to: to, by: ""}, err
	case len(bytes.Trim(t.raw[lineStart:from], " ")) == 0:
		end, _ := t.lineEnd(v.Line)
		return change{from: lineStart, to: end, by: ""}, nil
	case next > 0 && mapping.Content[i+2].Line == k.Line+1:
		return change{from: from, to: next, by: ""}, nil
	}
	return change{}, errors.New("the tag in it is to go, and does not stand alone in its line")
}
