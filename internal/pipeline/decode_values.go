package pipeline

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decodeText reads a value that is written as text, such as a duration.
func (d *decoder) decodeText(v reflect.Value, target encoding.TextUnmarshaler, n ast.Node, f field) {
	form := v.Interface().(interface{ Form() Form }).Form()
	text, ok := scalarText(n)
	if !ok {
		d.fault(nodePlace(n), "for instance: "+f.name+": "+form.Example, "%s must be %s, not %s", f.title(), form.Name, kindOf(n))
		return
	}
	if err := target.UnmarshalText([]byte(text)); err != nil {
		d.fault(nodePlace(n), "for instance: "+f.name+": "+f.sample(form.Example), "%s: %s", f.title(), err)
		return
	}
	d.checkBounds(v, text, n, f)
}

// decodeScalar reads text, whole numbers, numbers, and true or false.
func (d *decoder) decodeScalar(v reflect.Value, n ast.Node, f field) {
	text, ok := scalarText(n)
	wrong := func(want string) {
		is := kindOf(n)
		if ok && v.Kind() != reflect.String {
			is = text
		}
		d.fault(nodePlace(n), f.like(f.sample(want)), "%s must be %s, not %s", f.title(), want, is)
	}
	switch v.Kind() {
	case reflect.String:
		if !ok || (!f.anyText && n.Type() != ast.StringType && n.Type() != ast.LiteralType) {
			wrong("text")
			return
		}
		d.decodeString(v, text, n, f)
		return
	case reflect.Bool:
		b, isBool := n.(*ast.BoolNode)
		if !isBool {
			wrong("true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || isQuoted(n) {
			wrong("a whole number")
			return
		}
		v.SetInt(i)
		d.checkBounds(v, text, n, f)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || isQuoted(n) || x != x {
			wrong("a number")
			return
		}
		v.SetFloat(x)
		d.checkBounds(v, text, n, f)
	default:
		panic("pipeline: no way to decode a " + v.Type().String())
	}
}

func (d *decoder) decodeString(v reflect.Value, text string, n ast.Node, f field) {
	v.SetString(text)
	if text == "" && !f.anyText {
		d.fault(nodePlace(n), f.like(f.example), "%s is empty", f.title())
		return
	}
	if words := f.words(); len(words) > 0 {
		for _, w := range words {
			if w == text {
				return
			}
		}
		d.fault(nodePlace(n), meant(text, words, "it can be ", "or"), "%s cannot be %q", f.title(), text)
		return
	}
	if check := checks[f.tag.Get("check")]; check != nil {
		p := check(text)
		d.problem(nodePlace(n), n, p)
		if p != nil && f.tag.Get("check") == "secret" {
			d.mask(nodePlace(n).line, text)
		}
	}
}

// problem notes what a check found, at its place inside the text where that is known.
func (d *decoder) problem(at place, n ast.Node, p *problem) {
	if p == nil {
		return
	}
	if inner, ok := d.inside(n, p.offset); ok && p.offset >= 0 {
		at = inner
	}
	d.fault(at, p.hint, "%s", p.message)
}

// checkBounds compares with the min and max tags.
func (d *decoder) checkBounds(v reflect.Value, text string, n ast.Node, f field) {
	value := number(v)
	if lo, ok := f.boundOf(v.Type(), "min"); ok && value < lo {
		d.fault(nodePlace(n), fmt.Sprintf("it must be at least %s", f.tag.Get("min")), "%s is %s, which is too little", f.title(), text)
	}
	if hi, ok := f.boundOf(v.Type(), "max"); ok && value > hi {
		d.fault(nodePlace(n), fmt.Sprintf("it must be at most %s", f.tag.Get("max")), "%s is %s, which is too much", f.title(), text)
	}
}

// decodeCommand reads a command line from text or a list.
func (d *decoder) decodeCommand(c *CommandLine, n ast.Node, path string, f field) {
	like := f.like(f.sample("./shop"))
	if seq, ok := n.(*ast.SequenceNode); ok {
		words := make([]string, len(seq.Values))
		for i, item := range seq.Values {
			d.decode(reflect.ValueOf(&words[i]).Elem(), item, fmt.Sprintf("%s[%d]", path, i), f.value("a word of the command"))
		}
		*c = words
	} else {
		text, ok := scalarText(n)
		if !ok || n.Type() == ast.BoolType {
			d.fault(nodePlace(n), like, "%s must be a command, not %s", f.title(), kindOf(n))
			return
		}
		words, err := SplitCommand(text)
		if err != nil {
			d.fault(nodePlace(n), "quote as in a shell, or write a list of words", "%s: %s", f.title(), err)
			return
		}
		*c = words
	}
	if len(*c) == 0 || (*c)[0] == "" {
		d.fault(nodePlace(n), like, "the command of %s is empty", f.title())
	}
}

// decodeNeeds reads a list of environments, or a mapping from environment to time.
func (d *decoder) decodeNeeds(needs *Needs, n ast.Node, path string) {
	if seq, ok := n.(*ast.SequenceNode); ok {
		for i, item := range seq.Values {
			var need Need
			below := fmt.Sprintf("%s[%d]", path, i)
			d.decode(reflect.ValueOf(&need.Environment).Elem(), item, below, field{name: "needs", example: "[staging]"})
			d.keys[needPath(path, i)] = d.values[below]
			*needs = append(*needs, need)
		}
		return
	}
	entries, ok := mappingOf(n)
	if !ok {
		d.fault(nodePlace(n), "for instance: needs: [staging], or: needs: {staging: 30m}", `"needs" must be a list or a mapping, not %s`, kindOf(n))
		return
	}
	for _, e := range d.merged(entries) {
		key, ok := d.key(e.Key)
		if !ok {
			continue
		}
		need := Need{Environment: key}
		d.keys[needPath(path, len(*needs))] = nodePlace(e.Key)
		d.decode(reflect.ValueOf(&need.For).Elem(), e.Value, join(path, key),
			field{name: key, tag: `max:"90d"`})
		*needs = append(*needs, need)
	}
}

func needPath(path string, i int) string { return fmt.Sprintf("%s#%d", path, i) }

// scalarText returns the text of a scalar as it is written, without its quotes.
func scalarText(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func isQuoted(n ast.Node) bool {
	t := n.GetToken().Type
	return t == token.SingleQuoteType || t == token.DoubleQuoteType
}

// kindOf names what a node is, for a sentence "…, not …".
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.NullNode:
		return "nothing"
	}
	return "text"
}

// inside finds the place of a character within the text of a scalar. It knows
// scalars on one line and literal blocks; elsewhere the scalar's beginning must do.
func (d *decoder) inside(n ast.Node, offset int) (place, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		at := tokenPlace(v.Token)
		if at.line < 1 || at.line > len(d.lines) {
			return at, false
		}
		rest := []rune(d.lines[at.line-1])[min(at.column-1, len([]rune(d.lines[at.line-1]))):]
		column, ok := columnInside(rest, v.Token.Type, offset)
		return place{at.line, at.column + column, 1}, ok && !strings.Contains(strings.TrimSpace(v.Token.Origin), "\n")
	case *ast.LiteralNode:
		if v.Start.Type != token.LiteralType {
			return place{}, false
		}
		line := v.Start.Position.Line
		for _, text := range strings.Split(v.Value.Value, "\n") {
			line++
			if n := len([]rune(text)); offset > n {
				offset -= n + 1
				continue
			}
			if line > len(d.lines) {
				return place{}, false
			}
			indent := strings.Index(d.lines[line-1], text)
			return place{line, max(indent, 0) + offset + 1, 1}, indent >= 0
		}
	}
	return place{}, false
}

// columnInside counts the characters of the source up to the offset in the text.
func columnInside(raw []rune, style token.Type, offset int) (int, bool) {
	at := 0
	if style == token.SingleQuoteType || style == token.DoubleQuoteType {
		at = 1
	}
	for ; offset > 0 && at < len(raw); offset-- {
		if style == token.SingleQuoteType && raw[at] == '\'' || style == token.DoubleQuoteType && raw[at] == '\\' {
			at++
		}
		at++
	}
	return at, at <= len(raw)
}
