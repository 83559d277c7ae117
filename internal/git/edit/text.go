package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the files that are read, far above any that people write.
const maxFile = 4 << 20

// text is a YAML file: its bytes, where its lines begin, and its documents.
type text struct {
	raw       []byte
	starts    []int
	documents []*yaml.Node
}

// parse reads all documents of a file.
func parse(raw []byte) (*text, error) {
	switch {
	case len(raw) > maxFile:
		return nil, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	case !utf8.Valid(raw):
		return nil, errors.New("it is not UTF-8")
	}
	t := &text{raw: raw, starts: lineStarts(raw)}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if len(document.Content) != 1 {
			return nil, errors.New("a document has no root")
		}
		t.documents = append(t.documents, document.Content[0])
	}
}

// lineStarts returns the offset of each line, by what YAML takes for the end of one.
func lineStarts(raw []byte) []int {
	first := 0
	if bytes.HasPrefix(raw, []byte("\uFEFF")) {
		first = len("\uFEFF")
	}
	starts := []int{first}
	for i := first; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			size++
		}
		i += size
		switch r {
		case '\n', '\r', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i)
		}
	}
	return starts
}

// offset returns where a place is that the parser names by line and column.
func (t *text) offset(line, column int) (int, error) {
	if line < 1 || line > len(t.starts) {
		return 0, fmt.Errorf("there is no line %d", line)
	}
	at := t.starts[line-1]
	for range column - 1 {
		if at >= len(t.raw) {
			return 0, fmt.Errorf("line %d has no column %d", line, column)
		}
		_, size := utf8.DecodeRune(t.raw[at:])
		at += size
	}
	return at, nil
}

// lineEnd returns the offset after the line, and the line break that it has.
func (t *text) lineEnd(line int) (at int, lineBreak string) {
	if line >= len(t.starts) {
		return len(t.raw), ""
	}
	at = t.starts[line]
	content := strings.TrimRight(string(t.raw[t.starts[line-1]:at]), "\r\n")
	return at, string(t.raw[t.starts[line-1]+len(content) : at])
}

// lineBreak is how the file ends its lines.
func (t *text) lineBreak() string {
	if len(t.starts) > 1 {
		if _, first := t.lineEnd(1); first != "" {
			return first
		}
	}
	return "\n"
}

// span returns where a scalar stands, with its quotes but without its anchor and tag.
func (t *text) span(n *yaml.Node) (from, to int, err error) {
	if from, err = t.offset(n.Line, n.Column); err != nil {
		return 0, 0, err
	}
	for from < len(t.raw) && (t.raw[from] == '&' || t.raw[from] == '!') {
		rest := t.raw[from:]
		word := bytes.IndexAny(rest, " \t\r\n")
		if word < 0 {
			return 0, 0, fmt.Errorf("line %d has a tag or an anchor without a value beside it", n.Line)
		}
		from += word + len(rest[word:]) - len(bytes.TrimLeft(rest[word:], " \t"))
	}
	to, ok := t.scalarEnd(n, from)
	if !ok {
		return 0, 0, fmt.Errorf("the value in line %d is not on one line", n.Line)
	}
	return from, to, nil
}

// scalarEnd finds the end of a scalar that begins at from.
func (t *text) scalarEnd(n *yaml.Node, from int) (int, bool) {
	rest := string(t.raw[from:])
	switch {
	case n.Kind == yaml.AliasNode:
		return from + 1 + len(n.Value), strings.HasPrefix(rest, "*"+n.Value)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 0, false
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(rest) && rest[0] == '"'; i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return from + i + 1, true
			}
		}
		return 0, false
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(rest) && rest[0] == '\''; i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 < len(rest) && rest[i+1] == '\'' {
				i++
				continue
			}
			return from + i + 1, true
		}
		return 0, false
	}
	end := from + len(n.Value)
	return end, strings.HasPrefix(rest, n.Value) && (end == len(t.raw) || strings.IndexByte(" \t\r\n,]}:", t.raw[end]) >= 0)
}

// change replaces the bytes from from to to.
type change struct {
	from, to int
	by       string
	first    bool // of a list: the new element is the first one
}

// apply returns the file with changes made. They must not overlap.
func (t *text) apply(changes ...change) []byte {
	var out []byte
	at := 0
	for _, c := range changes {
		out = append(append(out, t.raw[at:c.from]...), c.by...)
		at = c.to
	}
	return append(out, t.raw[at:]...)
}

// replace is the change that gives a scalar another value, in the quotes that it has.
func (t *text) replace(n *yaml.Node, value string) (change, error) {
	from, to, err := t.span(n)
	if err != nil {
		return change{}, err
	}
	switch {
	case from == to: // nothing is written there yet
		if from == 0 || t.raw[from-1] != ':' {
			return change{}, fmt.Errorf("the value in line %d has no place of its own", n.Line)
		}
		return change{from: from, to: to, by: " " + plain(value)}, nil
	case t.raw[from] == '"':
		return change{from: from, to: to, by: `"` + value + `"`}, nil
	case t.raw[from] == '\'':
		return change{from: from, to: to, by: "'" + value + "'"}, nil
	}
	return change{from: from, to: to, by: plain(value)}, nil
}

// plain writes a value without quotes where it is still a text then. Values have no
// characters that would have to be escaped: they are parts of images.
func plain(value string) string {
	var read any
	if err := yaml.Unmarshal([]byte(value), &read); err == nil && read == any(value) {
		return value
	}
	return `"` + value + `"`
}
