package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// drillPlan is a plan with nothing but a canary.
func drillPlan(d *pipeline.Drill) *pipeline.Plan {
	return &pipeline.Plan{
		Version: pipeline.PlanVersion, Service: "shop", Drill: d,
		Component: pipeline.Component{Service: "shop", Version: "v1", Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64)},
		Environments: []pipeline.Environment{{Name: "production", Platform: "host", OnUndecided: pipeline.UndecidedHold, Stages: []pipeline.Stage{
			{Name: "canary", Kind: pipeline.KindCanary, TimeLimit: pipeline.Duration(time.Hour), Canary: &pipeline.Canary{}},
		}}},
	}
}

func TestADrillRunsTheSameAgainAsAnotherRevision(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for _, d := range []*pipeline.Drill{nil, {Until: at}, {Until: at.Add(1)}, {Until: at, Harm: &pipeline.Harm{Errors: 1}}} {
		p := drillPlan(d)
		id := p.Revision(&p.Environments[0])
		if seen[id] {
			t.Errorf("%+v is revision %s, as another one", d, id)
		}
		seen[id] = true
	}
}

// lived drives a run of the plan up to its canary, and then by the event.
func lived(t *testing.T, p *pipeline.Plan, last pipeline.Event, after time.Duration) (pipeline.Run, []pipeline.Command) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := pipeline.NewRun(p, "ann", now)
	var all []pipeline.Command
	for _, ev := range []pipeline.Event{
		{Kind: pipeline.EventCreated}, {Kind: pipeline.EventLaneGranted, Environment: "production"}, last,
	} {
		if ev.Kind == last.Kind {
			now = now.Add(after)
		}
		next, commands, err := pipeline.Next(run, ev, now)
		if err != nil {
			t.Fatal(err)
		}
		run, all = next, append(all, commands...)
	}
	return run, all
}

func TestADrillWhoseCanaryPassesIsTakenBackAllTheSame(t *testing.T) {
	passed := pipeline.Event{Kind: pipeline.EventStagePassed, Environment: "production", Stage: "canary", Exposed: true}
	run, commands := lived(t, drillPlan(&pipeline.Drill{Until: time.Now()}), passed, time.Minute)
	if e := run.Environments[0]; e.State != pipeline.EnvironmentRollingBack || e.Stages[0].State != pipeline.StageUndoing {
		t.Errorf("it is %s, its canary %s", e.State, e.Stages[0].State)
	}
	for _, c := range commands {
		// A lane asked for as for a retreat supersedes nobody who waits in it.
		if c.Kind == pipeline.CommandAddEvidence || c.Kind == pipeline.CommandAcquireLane && !c.Undo {
			t.Errorf("a drill gave the command %+v", c)
		}
	}
	run, _ = lived(t, drillPlan(nil), passed, time.Minute)
	if e := run.Environments[0]; e.State != pipeline.EnvironmentSucceeded {
		t.Errorf("an ordinary release is %s", e.State)
	}
}

func TestADrillAtItsTimeLimitAsksNobody(t *testing.T) {
	run, _ := lived(t, drillPlan(&pipeline.Drill{Until: time.Now()}), pipeline.Event{Kind: pipeline.EventWoken}, 2*time.Hour)
	if e := run.Environments[0]; e.State != pipeline.EnvironmentRollingBack || e.Stages[0].Asks != "" {
		t.Errorf("it is %s and asks %q", e.State, e.Stages[0].Asks)
	}
}
