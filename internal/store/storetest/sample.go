package storetest

import (
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Plan returns a plan of the usual size: two environments with five stages each.
func Plan(service string) *pipeline.Plan {
	stages := []pipeline.Stage{
		{Name: "tests", Kind: pipeline.KindGate, TimeLimit: minutes(60), Gate: &pipeline.Gate{When: `passed("tests")`}},
		{Name: "approve", Kind: pipeline.KindApproval, TimeLimit: minutes(600),
			Approval: &pipeline.Approval{Roles: []string{"sre"}, Count: 1, Expires: pipeline.Duration(24 * time.Hour)}},
		{Name: "smoke", Kind: pipeline.KindCheck, TimeLimit: minutes(5), Check: &pipeline.Check{Attempts: 3, Every: minutes(1),
			HTTP: []pipeline.HTTPCheck{{Method: "GET", Path: "/healthz", Status: 200, Within: minutes(1)}}}},
		{Name: "canary", Kind: pipeline.KindCanary, TimeLimit: minutes(30), Canary: &pipeline.Canary{}},
		{Name: "watch", Kind: pipeline.KindWatch, TimeLimit: minutes(90), Watch: &pipeline.Watch{For: minutes(30), Holdback: 0.05}},
	}
	p := &pipeline.Plan{Version: pipeline.PlanVersion, Service: service, Owner: "team-" + service}
	p.Component = pipeline.Component{Service: service, Artifact: "builds/" + service + ".tar",
		Digest: "sha256:" + strings.Repeat("ab", 32), Config: pipeline.Config{Env: map[string]string{"LEVEL": "info"}}}
	for _, name := range []string{"staging", "production"} {
		p.Environments = append(p.Environments, pipeline.Environment{Name: name, Platform: "host",
			OnUndecided: pipeline.UndecidedHold, Budget: 0.05, Stages: stages})
	}
	return p
}

func minutes(n int) pipeline.Duration { return pipeline.Duration(time.Duration(n) * time.Minute) }
