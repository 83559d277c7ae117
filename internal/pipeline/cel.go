package pipeline

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
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
	// Drift is what was last seen of the gate's own lane; nil where nobody has looked.
	Drift *Drift
	Now   time.Time
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
		cel.Variable("drift", facts),
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
var gateVariables = []string{"evidence", "latest", "release", "environments", "drift", "now"}

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
	return map[string]any{
		"evidence": all, "latest": latest, "release": release, "environments": environments, "drift": in.Drift.variables(), "now": in.Now,
	}
}

// Drift is what was last seen of where what runs in a lane is not as the release at home
// says, or as the repository says that holds the truth.
type Drift struct {
	// Count is how many fields have drifted from either.
	Count int
	// Plan is how many are not as the release says, Git how many not as the repository says.
	Plan, Git int
	// GitUnknown says that there is a repository, and that it could not be compared.
	GitUnknown bool
	// At is when it was seen.
	At time.Time
}

// variables leave out what is not known, so that a gate which asks for it waits.
func (d *Drift) variables() map[string]any {
	if d == nil {
		return map[string]any{}
	}
	all := map[string]any{"plan": d.Plan, "at": d.At}
	if !d.GitUnknown {
		all["git"] = d.Git
	}
	if !d.GitUnknown || d.Count > 0 {
		all["found"], all["count"] = d.Count > 0, d.Count
	}
	return all
}
