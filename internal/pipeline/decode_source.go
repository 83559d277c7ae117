package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is read, far above any real definition. The YAML parser takes
// quadratic time and recurses, so it only sees what is within them.
const (
	maxDefinition = 1 << 20
	maxTokens     = 20_000
	maxNesting    = 32
	maxIndent     = 200
)

// source is a definition's text, for showing the place of a fault.
type source struct {
	file   string
	lines  []string
	faults Faults
	more   bool
}

// place is where something stands; width is how many characters the caret marks.
type place struct{ line, column, width int }

// fault notes a fault once; beyond maxFaults it only notes that there are more.
func (s *source) fault(at place, hint, format string, args ...any) {
	f := Fault{File: s.file, Line: at.line, Column: at.column, width: at.width, Hint: hint, Message: fmt.Sprintf(format, args...)}
	known := slices.ContainsFunc(s.faults, func(o Fault) bool {
		return o.Line == f.Line && o.Column == f.Column && o.Message == f.Message
	})
	switch {
	case known:
	case len(s.faults) >= maxFaults:
		s.more = true
	default:
		s.faults = append(s.faults, f)
	}
}

// mask hides a text that must not be shown, such as a secret, in the source of
// every fault; the columns stay as they are.
func (s *source) mask(line int, text string) {
	if line >= 1 && line <= len(s.lines) && text != "" {
		s.lines[line-1] = strings.ReplaceAll(s.lines[line-1], text, strings.Repeat("*", utf8.RuneCountInString(text)))
	}
}

// result returns the faults with their sources, in the order of their places.
func (s *source) result() Faults {
	for i, f := range s.faults {
		if f.Line >= 1 && f.Line <= len(s.lines) {
			s.faults[i].Source = s.lines[f.Line-1]
		}
	}
	slices.SortStableFunc(s.faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if s.more {
		s.faults = append(s.faults, Fault{File: s.file, Message: fmt.Sprintf("there are more than these %d faults", maxFaults), Hint: "mend these first"})
		s.more = false
	}
	return s.faults
}

// openSource checks the text as text: its size, its encoding, that there is any.
func openSource(file string, text []byte) (*source, string) {
	s := &source{file: file}
	if len(text) > maxDefinition {
		s.fault(place{}, "a definition is a few kilobytes; is this the right file?",
			"the file has %.1f MiB, more than the %d MiB that Fairway reads", float64(len(text))/(1<<20), maxDefinition>>20)
		return s, ""
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	plain := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))
	s.lines = strings.Split(plain, "\n")
	for i, line := range s.lines {
		if !utf8.ValidString(line) {
			column := utf8.RuneCountInString(line[:invalidAt(line)]) + 1
			s.lines[i] = strings.ToValidUTF8(line, "\ufffd")
			s.fault(place{i + 1, column, 1}, "save the file as UTF-8", "the text is not UTF-8")
		} else if at := strings.IndexFunc(line, unprintable); at >= 0 {
			c, _ := utf8.DecodeRuneInString(line[at:])
			column := utf8.RuneCountInString(line[:at]) + 1
			s.lines[i] = strings.Map(func(c rune) rune {
				if unprintable(c) {
					return '\ufffd'
				}
				return c
			}, line)
			s.fault(place{i + 1, column, 1}, "remove it", "the control character %U has no place in YAML", c)
		}
	}
	return s, plain
}

func invalidAt(line string) int {
	for i, c := range line {
		if c == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd") {
			return i
		}
	}
	return len(line)
}

func unprintable(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// parse returns the one document of the text, or nil with the faults noted.
func (s *source) parse(text string) (root ast.Node) {
	defer func() {
		// The parser is a third party's and reads whatever a user has.
		if r := recover(); r != nil {
			s.fault(place{}, "simplify the file; unusual YAML is not needed here", "the file cannot be read as YAML")
			root = nil
		}
	}()
	tokens := lexer.Tokenize(text)
	if !s.within(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.syntaxFault(err)
		return nil
	}
	return s.document(file)
}

// document picks the one document, and refuses none and several.
func (s *source) document(file *ast.File) ast.Node {
	var root ast.Node
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.DirectiveNode, *ast.CommentGroupNode:
			continue
		default:
			if root != nil {
				at := nodePlace(body)
				if doc.Start != nil {
					at = tokenPlace(doc.Start)
				}
				s.fault(at, "write one service per file, and give each its own file", "a second document begins here")
				return nil
			}
			root = body
		}
	}
	if root == nil || root.Type() == ast.NullType {
		s.fault(place{}, "`fairway init` writes a fairway.yaml to start with", "the file is empty")
		return nil
	}
	return root
}

// within checks the bounds on tokens and nesting.
func (s *source) within(tokens token.Tokens) bool {
	if len(tokens) > maxTokens {
		s.fault(place{}, "split the service, or move data into config files", "the file has %d YAML tokens, more than the %d that Fairway reads", len(tokens), maxTokens)
		return false
	}
	depth, line, marks := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
			if t.Position.Column > maxIndent && depth == 0 {
				s.fault(tokenPlace(t), "", "the line is indented by more than %d characters", maxIndent)
				return false
			}
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			marks++
		}
		if depth > maxNesting || marks > maxNesting {
			s.fault(tokenPlace(t), "a definition needs at most 6 levels", "the YAML is nested more than %d levels deep", maxNesting)
			return false
		}
	}
	return true
}

// syntaxFault says what the parser stumbled over, in Fairway's words where they help more.
func (s *source) syntaxFault(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		s.fault(place{}, "", "the file cannot be read as YAML: %v", err)
		return
	}
	at := tokenPlace(syntax.Token)
	if strings.Contains(syntax.Message, `'	'`) {
		s.tabFaults(at)
		return
	}
	if word, at, ok := s.missingColon(at.line); ok {
		s.fault(at, "write `"+word+":`", "the colon after %q is missing", word)
		return
	}
	for _, known := range []struct{ part, message, hint string }{
		{"mapping value is not allowed", "a `key: value` cannot stand here", "check the indentation of this line and the next; put text that contains `: ` in quotes"},
		{"sequence end token", "the `[` is not closed", "close it with `]`"},
		{"mapping end token", "the `{` is not closed", "close it with `}`"},
		{"end character of single-quoted", "the quote ' is not closed", "close it; write '' for a quote inside the text"},
		{"end character of double-quoted", "the quote \" is not closed", "close it; write \\\" for a quote inside the text"},
		{"is a reserved character", "text cannot begin with this character", "put the text in quotes"},
		{"non-map value", "there is text where a `key: value` is expected", "is a colon missing, or a space after it?"},
	} {
		if strings.Contains(syntax.Message, known.part) {
			s.fault(at, known.hint, "%s", known.message)
			return
		}
	}
	s.fault(at, "check the indentation, brackets and quotes here and on the line before", "this is not YAML: %s", syntax.Message)
}

// missingColon finds the last line up to the given one that is a lone word above
// lines that belong to it, as a key without its colon is.
func (s *source) missingColon(until int) (string, place, bool) {
	for i := min(until, len(s.lines)) - 2; i >= 0; i-- {
		word := strings.TrimSpace(s.lines[i])
		below := strings.TrimLeft(s.lines[i+1], " ")
		indent, indentBelow := strings.Index(s.lines[i], word), len(s.lines[i+1])-len(below)
		if variableRegexp.MatchString(word) && indentBelow > indent && (strings.Contains(below, ":") || strings.HasPrefix(below, "- ")) {
			return word, place{i + 1, indent + 1, len(word)}, true
		}
	}
	return "", place{}, false
}

// tabFaults reports every line that is indented by a tab.
func (s *source) tabFaults(first place) {
	const hint = "indent with spaces; YAML allows no tabs"
	for i, line := range s.lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(line) {
			s.fault(place{i + 1, tab + 1, 1}, hint, "the line is indented with a tab")
		}
	}
	if len(s.faults) == 0 {
		s.fault(first, hint, "a tab cannot stand here")
	}
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	width := utf8.RuneCountInString(strings.TrimSpace(t.Origin))
	if strings.Contains(strings.TrimSpace(t.Origin), "\n") {
		width = 1
	}
	return place{t.Position.Line, max(t.Position.Column, 1), max(width, 1)}
}

// nodePlace is where the node begins for a reader: a mapping at its first key.
func nodePlace(n ast.Node) place {
	switch v := n.(type) {
	case nil:
		return place{}
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return nodePlace(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePlace(v.Key)
	case *ast.AnchorNode, *ast.TagNode:
		return tokenPlace(n.GetToken())
	}
	return tokenPlace(n.GetToken())
}
