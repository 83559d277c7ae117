package pipeline

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Bounds on a condition: its length in characters, its depth, and what one
// evaluation may cost (CEL's own unit, about one per step).
const (
	maxCondition     = 4096
	maxConditionDeep = 50
	maxConditionCost = 100_000
	maxConditions    = 256
)

// GateInput is what a gate's condition can see.
type GateInput struct {
	// Evidence may be about any artifact; only what is about the release's digest counts.
	Evidence []Evidence
	// Release has service, version, digest and author.
	Release map[string]any
	// Environments are those of the run, by name: each a map[string]any with its
	// state, and since when (a time.Time; a zero one counts as not there).
	Environments map[string]any
	Now          time.Time
}

// CompileGate tells what is wrong with a condition, as fault.Invalid, or nil.
func CompileGate(expr string) error {
	if _, p := compileGate(expr); p != nil {
		return fault.Errorf(fault.Invalid, "the condition %q: %s", expr, p.message).WithHint("%s", p.hint)
	}
	return nil
}

// EvalGate evaluates a condition. Where it does not hold, or asks for what is not
// there yet or cannot be compared, waitingFor says in words what is awaited:
// evidence comes from outside, and what is odd about it is no verdict. An error
// means that the condition itself is unusable, so waiting does not help.
func EvalGate(expr string, in GateInput) (pass bool, waitingFor string, err error) {
	g, p := compileGate(expr)
	if p != nil {
		return false, "", fault.Errorf(fault.Invalid, "the condition %q: %s", expr, p.message).WithHint("%s", p.hint)
	}
	vars := in.variables()
	out, _, err := g.program.Eval(vars)
	if err != nil {
		if missing, ok := g.missing(err); ok {
			return false, missing, nil
		}
		return false, fmt.Sprintf("evidence that the condition can be evaluated on (%s)", err), nil
	}
	if held, ok := out.(types.Bool); ok {
		if held {
			return true, "", nil
		}
		return false, g.unmet(vars), nil
	}
	return false, "", fault.Errorf(fault.Invalid, "the condition %q gives %s", expr, out.Type().TypeName()).
		WithHint("a condition must come to true or false")
}

// gate is a compiled condition with the paths that it looks at, such as latest.tests.status.
type gate struct {
	text    string
	program cel.Program
	paths   [][]string
}

var gates = struct {
	sync.Mutex
	known map[string]*gate
}{known: map[string]*gate{}}

var gateEnv = sync.OnceValues(func() (*cel.Env, error) {
	facts := cel.MapType(cel.StringType, cel.DynType)
	return cel.NewEnv(
		cel.Variable("evidence", cel.ListType(facts)),
		cel.Variable("latest", cel.MapType(cel.StringType, facts)),
		cel.Variable("release", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("environments", cel.MapType(cel.StringType, facts)),
		cel.Variable("now", cel.TimestampType),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(maxConditionDeep),
	)
})

// compileGate compiles a condition, or finds it among those compiled before.
func compileGate(expr string) (*gate, *problem) {
	gates.Lock()
	defer gates.Unlock()
	if g, ok := gates.known[expr]; ok {
		return g, nil
	}
	g, p := newGate(expr)
	if p != nil {
		return nil, p
	}
	if len(gates.known) >= maxConditions {
		for old := range gates.known {
			delete(gates.known, old)
			break
		}
	}
	gates.known[expr] = g
	return g, nil
}

func newGate(expr string) (*gate, *problem) {
	env, err := gateEnv()
	if err != nil {
		return nil, wrong("", "conditions are not available: %v", err)
	}
	if strings.TrimSpace(expr) == "" {
		return nil, wrong(`for instance: latest.tests.status == "passed"`, "the condition is empty")
	}
	ast, issues := env.Compile(expr)
	if issues.Err() != nil {
		return nil, celProblem(expr, issues)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, wrong(`compare it with something, for instance: latest.tests.status == "passed"`, "the condition gives %s, not true or false", t)
	}
	program, err := env.Program(ast, cel.CostLimit(maxConditionCost))
	if err != nil {
		return nil, wrong("", "the condition cannot be used: %v", err)
	}
	g := &gate{text: expr, program: program}
	if p := g.collectPaths(ast.NativeRep()); p != nil {
		return nil, p
	}
	return g, nil
}

var (
	celUndeclared = regexp.MustCompile(`undeclared reference to '([^']+)'`)
	celAssignment = regexp.MustCompile(`[^=!<>]=[^=]`)
)

// gateVariables are what a condition can name.
var gateVariables = []string{"evidence", "latest", "release", "environments", "now"}

// celProblem turns the first issue into words; CEL's later ones follow from it.
func celProblem(expr string, issues *cel.Issues) *problem {
	first := issues.Errors()[0]
	message, _, _ := strings.Cut(first.Message, "\n")
	p := &problem{message: message, hint: `for instance: latest.tests.status == "passed"`, offset: -1}
	if first.Location != nil && first.Location.Line() > 0 {
		p.offset = offsetOf(expr, first.Location.Line(), first.Location.Column())
	}
	if m := celUndeclared.FindStringSubmatch(message); m != nil {
		p.message = fmt.Sprintf("a condition knows no %q", m[1])
		p.hint = meant(m[1], gateVariables, "it can use ", "and")
	} else if at := strings.Index(message, "Syntax error: "); at >= 0 {
		p.message = "the condition is not CEL: " + message[at+len("Syntax error: "):]
		if celAssignment.MatchString(expr) {
			p.hint = "compare with == in place of ="
		}
	}
	return p
}

// offsetOf counts the characters before a line (from 1) and column (from 0).
func offsetOf(text string, line, column int) int {
	offset := 0
	for i, l := range strings.Split(text, "\n") {
		if i+1 == line {
			break
		}
		offset += len([]rune(l)) + 1
	}
	return offset + column
}

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

// variables are the input as CEL sees it.
func (in GateInput) variables() map[string]any {
	all := []map[string]any{}
	latest := map[string]map[string]any{}
	newest := map[string]time.Time{}
	for _, e := range in.Evidence {
		if digest, _ := in.Release["digest"].(string); digest != "" && e.Digest != digest {
			continue
		}
		fact := map[string]any{
			"id": e.ID, "kind": e.Kind, "name": e.Name, "status": e.Status, "at": e.At,
			"by": e.By, "url": e.URL, "digest": e.Digest, "data": map[string]any{},
		}
		if e.Data != nil {
			fact["data"] = e.Data
		}
		all = append(all, fact)
		if at, ok := newest[e.Kind]; !ok || !e.At.Before(at) {
			latest[e.Kind], newest[e.Kind] = fact, e.At
		}
	}
	environments := map[string]any{}
	for name, e := range in.Environments {
		fact, ok := e.(map[string]any)
		if since, isTime := fact["since"].(time.Time); ok && isTime && since.IsZero() {
			fact = maps.Clone(fact)
			delete(fact, "since")
		}
		environments[name] = fact
	}
	release := in.Release
	if release == nil {
		release = map[string]any{}
	}
	return map[string]any{"evidence": all, "latest": latest, "release": release, "environments": environments, "now": in.Now}
}
