package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func gateInput() pipeline.GateInput {
	return pipeline.GateInput{
		Evidence: []pipeline.Evidence{
			{ID: "1", Digest: digest, Kind: "tests", Status: "failed", At: noon.Add(-2 * time.Hour)},
			{ID: "2", Digest: digest, Kind: "tests", Status: "passed", At: noon.Add(-time.Hour), By: "ci"},
			{ID: "3", Digest: "sha256:other", Kind: "scan", Status: "passed", At: noon},
			{ID: "4", Digest: digest, Kind: "coverage", Status: "passed", At: noon, Data: map[string]any{"percent": 81.5, "files": []any{"a"}}},
		},
		Release: map[string]any{"service": "shop", "version": "v2", "digest": digest, "author": "ann"},
		Environments: map[string]any{
			"staging":    map[string]any{"state": "succeeded", "since": noon.Add(-40 * time.Minute)},
			"production": map[string]any{"state": "pending", "since": time.Time{}},
		},
		Drift: &pipeline.Drift{Count: 2, Plan: 2, Git: 1, At: noon.Add(-time.Minute)},
		Now:   noon,
	}
}

func TestEvalGate(t *testing.T) {
	for expr, want := range map[string]string{
		// An empty text passes; else it is what the gate waits for.
		`latest.tests.status == "passed"`:                               "",
		`latest["tests"].by == "ci"`:                                    "",
		`latest.coverage.data.percent >= 80`:                            "",
		`evidence.exists(e, e.kind == "tests" && e.status == "failed")`: "",
		`now - latest.tests.at < duration("90m")`:                       "",
		`now - environments.staging.since > duration("30m")`:            "",
		`release.author != "bob" && release.version.startsWith("v")`:    "",
		`latest.scan.status == "passed" || latest.tests.by == "ci"`:     "",
		`!has(latest.scan)`:                                             "",
		`latest.scan.status == "passed"`:                                `evidence of the kind "scan"`,
		`latest["scan"].status == "passed"`:                             `evidence of the kind "scan"`,
		`latest.tests.data.coverage > 80`:                               "latest.tests.data.coverage",
		`environments.canada.state == "succeeded"`:                      "environments.canada",
		`now - environments.production.since > duration("1m")`:          "environments.production.since",
		`environments.production.state == "succeeded"`:                  `environments.production.state == "succeeded" (environments.production.state is "pending")`,
		`latest.coverage.data.percent >= 90`:                            "latest.coverage.data.percent >= 90 (latest.coverage.data.percent is 81.5)",
		`evidence.exists(e, e.kind == "scan")`:                          `evidence.exists(e, e.kind == "scan")`,
		`drift.found && drift.count == 2`:                               "",
		`drift.plan == 2 && drift.git == 1`:                             "",
		`now - drift.at < duration("5m")`:                               "",
		`!drift.found`:                                                  "!drift.found (drift.found is true)",
		`evidence[7].status == "passed"`:                                "more evidence",
		`latest.coverage.data.percent > "80"`:                           "evidence that the condition can be evaluated on (no such overload)",
	} {
		t.Run(expr, func(t *testing.T) {
			pass, waiting, err := pipeline.EvalGate(expr, gateInput())
			if err != nil {
				t.Fatal(err)
			}
			if pass != (want == "") || waiting != want {
				t.Errorf("got %v, waiting for %q; want %q", pass, waiting, want)
			}
		})
	}
}

// What nobody knows about the repository is no proof that nothing has drifted from it; what
// is known about the cluster counts all the same.
func TestAGateWaitsWhileTheRepositoryIsNotKnown(t *testing.T) {
	for expr, want := range map[string]string{
		`!drift.found`:    "drift.found",
		`drift.git == 0`:  "drift.git",
		`drift.plan == 0`: "",
	} {
		pass, waiting, err := pipeline.EvalGate(expr, pipeline.GateInput{Drift: &pipeline.Drift{GitUnknown: true, At: noon}})
		if pass != (want == "") || waiting != want || err != nil {
			t.Errorf("%s: got %v, %q, %v; want to wait for %q", expr, pass, waiting, err, want)
		}
	}
	some := &pipeline.Drift{Count: 1, Plan: 1, GitUnknown: true, At: noon}
	if pass, _, err := pipeline.EvalGate(`drift.found && drift.count == 1`, pipeline.GateInput{Drift: some}); !pass || err != nil {
		t.Errorf("a drift of the cluster is hidden: %v", err)
	}
}

// Where nobody has looked, there is no proof that nothing has drifted.
func TestAGateWaitsUntilSomebodyHasLookedForDrift(t *testing.T) {
	pass, waiting, err := pipeline.EvalGate(`!drift.found`, pipeline.GateInput{})
	if pass || waiting != "drift.found" || err != nil {
		t.Errorf("got %v, %q, %v; want to wait for drift.found", pass, waiting, err)
	}
}

func TestEvalGateWithNothingAtAll(t *testing.T) {
	pass, waiting, err := pipeline.EvalGate(`release.version == "v1"`, pipeline.GateInput{})
	if pass || waiting != "release.version" || err != nil {
		t.Errorf("got %v, %q, %v; want to wait for release.version", pass, waiting, err)
	}
}

func TestAConditionMustBeTrueOrFalse(t *testing.T) {
	_, _, err := pipeline.EvalGate(`latest.coverage.data.percent`, gateInput())
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "gives double") {
		t.Errorf("got %v, want that it gives double", err)
	}
}

func TestConditionsAreBounded(t *testing.T) {
	in := gateInput()
	for i := range 200 {
		in.Evidence = append(in.Evidence, pipeline.Evidence{ID: fmt.Sprint(i), Digest: digest, Kind: "tests", Status: "passed"})
	}
	start := time.Now()
	pass, waiting, err := pipeline.EvalGate(`evidence.all(a, evidence.all(b, evidence.all(c, a.id + b.id != c.id + "x")))`, in)
	if pass || err != nil || !strings.Contains(waiting, "cost limit") {
		t.Errorf("got %v, %q, %v; want the cost limit", pass, waiting, err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	for name, expr := range map[string]string{
		"long": strings.Repeat("true && ", 1000) + "true",
		"deep": strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
	} {
		if err := pipeline.CompileGate(expr); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("the %s condition is accepted: %v", name, err)
		}
	}
}

func TestManyConditionsDoNotFillTheMemory(t *testing.T) {
	for i := range 1000 {
		if err := pipeline.CompileGate(fmt.Sprintf("size(evidence) > %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if pass, _, err := pipeline.EvalGate("size(evidence) > 0", gateInput()); !pass || err != nil {
		t.Errorf("got %v, %v; want a pass after many others", pass, err)
	}
}

func FuzzCompileGate(f *testing.F) {
	f.Add(`latest.tests.status == "passed"`)
	f.Add(`latest[""].x || evidence[0]`)
	f.Fuzz(func(t *testing.T, expr string) {
		if pipeline.CompileGate(expr) != nil {
			return
		}
		if pass, waiting, err := pipeline.EvalGate(expr, gateInput()); !pass && waiting == "" && err == nil {
			t.Errorf("%q neither passes nor says what it waits for", expr)
		}
	})
}
