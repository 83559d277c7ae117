package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// knownFields are the fields of the facts that a condition can name.
var knownFields = map[string][]string{
	"release":      {"service", "version", "digest", "author"},
	"latest":       {"id", "kind", "name", "status", "at", "by", "url", "digest", "data"},
	"environments": {"state", "since"},
}

// collectPaths notes what the condition looks at, and refuses fields that can never be there.
func (g *gate) collectPaths(ast *celast.AST) (found *problem) {
	inner := map[int64]bool{}
	visit := func(e celast.Expr) {
		path, ok := pathOf(e, inner)
		if !ok || len(path) < 2 || inner[e.ID()] {
			return
		}
		g.paths = append(g.paths, path)
		depth := 2
		if path[0] == "release" {
			depth = 1
		}
		if fields := knownFields[path[0]]; fields != nil && len(path) > depth && !slices.Contains(fields, path[depth]) && found == nil {
			found = &problem{
				message: fmt.Sprintf("%q has no %q", strings.Join(path[:depth], "."), path[depth]),
				hint:    meant(path[depth], fields, "it has ", "and"), offset: -1,
			}
			if at := strings.Index(g.text, "."+path[depth]); at >= 0 {
				found.offset = len([]rune(g.text[:at])) + 1
			}
		}
	}
	// Parents come first, so that of latest.tests.status only the whole is noted.
	celast.PreOrderVisit(ast.Expr(), celast.NewExprVisitor(visit))
	return found
}

// pathOf reads a.b.c and a["b"].c as a path from a variable, and marks the parts.
func pathOf(e celast.Expr, inner map[int64]bool) ([]string, bool) {
	switch e.Kind() {
	case celast.IdentKind:
		return []string{e.AsIdent()}, slices.Contains(gateVariables, e.AsIdent())
	case celast.SelectKind:
		path, ok := pathOf(e.AsSelect().Operand(), inner)
		if ok {
			inner[e.AsSelect().Operand().ID()] = true
		}
		return append(path, e.AsSelect().FieldName()), ok
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != "_[_]" || len(call.Args()) != 2 || call.Args()[1].Kind() != celast.LiteralKind {
			return nil, false
		}
		key, isText := call.Args()[1].AsLiteral().(types.String)
		path, ok := pathOf(call.Args()[0], inner)
		if ok && isText {
			inner[call.Args()[0].ID()] = true
		}
		return append(path, string(key)), ok && isText
	}
	return nil, false
}

var celMissing = regexp.MustCompile(`no such key: (.*)$|index out of bounds: (.*)$`)

// missing says what an evaluation did not find, if that is why it stopped.
func (g *gate) missing(err error) (string, bool) {
	m := celMissing.FindStringSubmatch(err.Error())
	if m == nil {
		return "", false
	}
	for _, path := range g.paths {
		if at := slices.Index(path, m[1]); at > 0 {
			if at == 1 && path[0] == "latest" {
				return fmt.Sprintf("evidence of the kind %q", m[1]), true
			}
			return strings.Join(path[:at+1], "."), true
		}
	}
	if m[1] == "" {
		return "more evidence", true
	}
	return fmt.Sprintf("%q in the evidence", m[1]), true
}

// unmet says what the condition saw, where it does not hold.
func (g *gate) unmet(vars map[string]any) string {
	var seen []string
	for _, path := range g.paths {
		if text, ok := lookUp(vars, path); ok && len(seen) < 3 {
			seen = append(seen, strings.Join(path, ".")+" is "+text)
		}
	}
	text := strings.Join(strings.Fields(g.text), " ")
	if len(seen) == 0 {
		return text
	}
	return text + " (" + strings.Join(slices.Compact(seen), ", ") + ")"
}

func lookUp(vars map[string]any, path []string) (string, bool) {
	var at any = vars
	for _, key := range path {
		switch m := at.(type) {
		case map[string]any:
			at = m[key]
		case map[string]map[string]any:
			at = m[key]
		default:
			return "", false
		}
	}
	switch v := at.(type) {
	case string:
		return fmt.Sprintf("%q", v), true
	case bool, float64, int:
		return fmt.Sprint(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339), true
	}
	return "", false
}
