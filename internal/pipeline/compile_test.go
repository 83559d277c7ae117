package pipeline_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func compile(t *testing.T, text string) *pipeline.Plan {
	t.Helper()
	def := parse(t, text)
	in := pipeline.Request{Version: "v2", Artifact: "./shop", Digest: digest, Files: map[string][]byte{}}
	for _, f := range def.Files() {
		in.Files[f] = []byte("# " + f + "\n")
	}
	plan, err := pipeline.Compile(def, in)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// The plans of the examples, with their hashes: approvals and stored releases
// depend on both, so a change here is a change for every user.
func TestPlansAreGolden(t *testing.T) {
	for _, name := range []string{"host", "full", "metrics"} {
		t.Run(name, func(t *testing.T) {
			plan := compile(t, example(t, name+".yaml"))
			got, err := json.MarshalIndent(struct {
				Hash string         `json:"hash"`
				Plan *pipeline.Plan `json:"plan"`
			}{plan.Hash(), plan}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := "testdata/plans/" + name + ".json"
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the plan differs (-want +got); run with -update if it is right:\n%s", diff)
			}
		})
	}
}

func TestPlansSurviveStorage(t *testing.T) {
	plan := compile(t, example(t, "full.yaml"))
	b, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	back, err := pipeline.ReadPlan(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan, back); diff != "" {
		t.Errorf("the plan changed (-before +after):\n%s", diff)
	}
	if plan.Hash() != back.Hash() {
		t.Errorf("the hash changed from %s to %s", plan.Hash(), back.Hash())
	}
}

func TestCompilingTwiceGivesTheSamePlan(t *testing.T) {
	def := parse(t, example(t, "host.yaml"))
	in := pipeline.Request{Artifact: "./shop", Digest: digest}
	first, err := pipeline.Compile(def, in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := pipeline.Compile(def, in)
	if err != nil {
		t.Fatal(err)
	}
	if first.Hash() != second.Hash() {
		t.Error("the definition changed while it was compiled")
	}
}

// ways are stages as they are written, and the plan's stages with what matters of each.
func TestStagesBecomeAWay(t *testing.T) {
	for name, tc := range map[string]struct{ stages, want string }{
		"nothing said":                            {"", "canary(holdback 0.05) watch(holdback 0.05) promote(direct)"},
		"a canary alone ends with a promote":      {"[canary]", "canary(holdback 0) promote(direct)"},
		"a watch sets the canary's holdback":      {"[canary, watch: {for: 5m, holdback: 10%}]", "canary(holdback 0.1) watch(holdback 0.1) promote(direct)"},
		"a holdback can be none":                  {"[canary, watch: {holdback: 0}]", "canary(holdback 0) watch(holdback 0) promote(direct)"},
		"a promote is not doubled":                {"[canary, watch, promote]", "canary(holdback 0.05) watch(holdback 0.05) promote(direct)"},
		"a deploy needs no promote":               {"[deploy]", "deploy"},
		"blue-green is the end":                   {"[promote: blue-green]", "promote(blue-green)"},
		"blue-green under watch ends with direct": {"[promote: blue-green, watch]", "promote(blue-green, holdback 0.05) watch(holdback 0.05) promote-2(direct)"},
		"rolling under watch, written out":        {"[promote: rolling, watch, promote]", "promote(rolling, holdback 0.05) watch(holdback 0.05) promote-2(direct)"},
		"what does not move is kept in place":     {"[job: ./a, canary, check: {http: [/]}, notify: 'http://x']", "job canary(holdback 0) check notify promote(direct)"},
		"a check between canary and watch":        {"[canary, check: {http: [/]}, watch]", "canary(holdback 0.05) check watch(holdback 0.05) promote(direct)"},
		"names give way to those that are chosen": {"[{job: ./a, name: job-2}, job: ./b, job: ./c, deploy]", "job-2 job job-3 deploy"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "service: shop\nenvironments:\n  - name: production\n    host: {run: ./shop, listen: \"127.0.0.1:8080\"}\n"
			if tc.stages != "" {
				text += "    stages: " + tc.stages + "\n"
			}
			var got []string
			for _, s := range compile(t, text).Environments[0].Stages {
				got = append(got, outline(s))
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func outline(s pipeline.Stage) string {
	number := func(x float64) string {
		b, _ := json.Marshal(x)
		return string(b)
	}
	switch {
	case s.Canary != nil:
		return s.Name + "(holdback " + number(s.Canary.Holdback) + ")"
	case s.Watch != nil:
		return s.Name + "(holdback " + number(s.Watch.Holdback) + ")"
	case s.Promote != nil && s.Promote.Holdback > 0:
		return s.Name + "(" + string(s.Promote.Strategy) + ", holdback " + number(s.Promote.Holdback) + ")"
	case s.Promote != nil:
		return s.Name + "(" + string(s.Promote.Strategy) + ")"
	}
	return s.Name
}

func TestAWatchJudgesAsItsCanaryDid(t *testing.T) {
	plan := compile(t, `
service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages:
      - canary: {margin: {errors: 2pp, latency: 50%}, block: 10s, slo: 99%}
      - watch: {for: 1m, block: 20s}
`)
	want := pipeline.Analysis{MarginErrors: 0.02, MarginLatency: 0.5, Block: 20e9, SLO: 0.99}
	if got := plan.Environments[0].Stages[1].Watch.Analysis; !cmp.Equal(got, want) {
		t.Errorf("the watch is asked %+v, want %+v", got, want)
	}
}

func TestAnEnvironmentsHostIsLaidOverTheDefaults(t *testing.T) {
	plan := compile(t, `
service: shop
host:
  run: "./shop -name 'my shop' -port $PORT"
  ready: {path: /healthz, timeout: 5s}
  drain: 0
  env: {A: "1", B: "2"}
  sticky: {cookie: arm}
environments:
  - name: production
    host: {listen: ":80", instances: 3, ready: {timeout: 1h}, env: {B: "3"}, sticky: {header: X-User}}
    stages: [deploy]
`)
	want := `{"run":["./shop","-name","my shop","-port","$PORT"],"listen":":80",` +
		`"ready":{"path":"/healthz","timeout":"1h","interval":"200ms"},"instances":3,"stopTimeout":"10s","drain":"0s",` +
		`"env":{"A":"1","B":"3"},"sticky":{"header":"X-User"}}`
	if got := string(plan.Environments[0].Settings); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOnlyAndSkipLeaveEnvironmentsOut(t *testing.T) {
	def := parse(t, example(t, "host.yaml"))
	for name, in := range map[string]pipeline.Request{
		"only": {Only: []string{"production"}},
		"skip": {Skip: []string{"staging"}},
	} {
		t.Run(name, func(t *testing.T) {
			in.Artifact, in.Digest = "./shop", digest
			plan, err := pipeline.Compile(def, in)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Environments) != 1 || plan.Environments[0].Name != "production" {
				t.Fatalf("the plan goes through %+v, want production only", plan.Environments)
			}
			if needs := plan.Environments[0].Needs; len(needs) != 1 || needs[0].Environment != "staging" {
				t.Errorf("production needs %v: leaving staging out must not lift the need", needs)
			}
		})
	}
}

func TestRequestsAreRefusedWithAHint(t *testing.T) {
	full := parse(t, example(t, "full.yaml"))
	for name, tc := range map[string]struct {
		in   pipeline.Request
		want []string
	}{
		"nothing given": {pipeline.Request{}, []string{"no artifact", "no digest", `"config/app.yaml" was not given`, `"config/limits.yaml" was not given`}},
		"a digest of another kind": {
			pipeline.Request{Artifact: "x", Digest: "md5:abc", Files: map[string][]byte{"config/app.yaml": nil, "config/limits.yaml": nil}},
			[]string{`"md5:abc" is not a digest`},
		},
		"an environment that is not there": {
			pipeline.Request{Artifact: "x", Digest: digest, Only: []string{"prodction"}},
			[]string{`no environment "prodction"`},
		},
		"all environments left out": {
			pipeline.Request{Artifact: "x", Digest: digest, Skip: []string{"staging", "production"}, Files: map[string][]byte{"config/app.yaml": nil}},
			[]string{"goes through no environment"},
		},
		"a config file that is too large": {
			pipeline.Request{Artifact: "x", Digest: digest, Files: map[string][]byte{"config/app.yaml": make([]byte, 1<<20+1), "config/limits.yaml": nil}},
			[]string{"has 1048577 bytes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := pipeline.Compile(full, tc.in)
			if err == nil || plan != nil {
				t.Fatalf("got plan %v and error %v, want only an error", plan, err)
			}
			if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Errorf("code %q, hint %q: want invalid with a hint", fault.CodeOf(err), fault.HintOf(err))
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}
