package release

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// newRun is a run through staging and production, begun in staging.
func newRun() *pipeline.Run {
	plan := &pipeline.Plan{Version: 1, Service: "shop", Component: pipeline.Component{Service: "shop", Version: "v2"}, Environments: []pipeline.Environment{
		{Name: "staging", Stages: []pipeline.Stage{{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}}}},
		{Name: "production", Needs: []pipeline.Need{{Environment: "staging", For: pipeline.Duration(30 * time.Minute)}}, Stages: []pipeline.Stage{
			{Name: "tests", Kind: pipeline.KindGate, Gate: &pipeline.Gate{When: "true"}},
			{Name: "go", Kind: pipeline.KindApproval, Approval: &pipeline.Approval{Roles: []string{"sre", "qa"}, Count: 2}},
			{Name: "canary", Kind: pipeline.KindCanary, Canary: &pipeline.Canary{}},
		}},
	}}
	run := pipeline.NewRun(plan, "ann", noon)
	run.State = pipeline.RunRunning
	run.Environments[0].State = pipeline.EnvironmentRunning
	run.Environments[0].Stages[0].State = pipeline.StageRunning
	return &run
}

// inProduction puts the run into a stage of production.
func inProduction(r *pipeline.Run, stage int) *pipeline.EnvironmentRun {
	r.Environments[0].State = pipeline.EnvironmentSucceeded
	r.Environments[0].EndedAt = noon
	e := &r.Environments[1]
	e.State, e.Stage = pipeline.EnvironmentRunning, stage
	e.Stages[stage].State = pipeline.StageRunning
	return e
}

func TestStories(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(r *pipeline.Run, s *scene)
		headline string
		next     string
	}{
		{"a stage of a worker", func(*pipeline.Run, *scene) {}, "Stage deploy in staging.", "Then it goes to production."},
		{"live progress", func(r *pipeline.Run, s *scene) {
			inProduction(r, 2)
			s.live = &stage.Progress{Now: "5 % of the traffic, 120 of 400 requests judged", Next: "grows to 12 %"}
		}, "Stage canary in production: 5 % of the traffic, 120 of 400 requests judged.", "Grows to 12 %."},
		{"a queue", func(r *pipeline.Run, s *scene) {
			r.Environments[0].Lane = pipeline.LaneQueued
			s.queue, s.ahead = []string{"r1"}, "shop v1"
		}, "Waits in staging behind shop v1.", "Stage deploy begins."},
		{"a longer queue", func(r *pipeline.Run, s *scene) {
			r.Environments[0].Lane = pipeline.LaneQueued
			s.queue, s.ahead = []string{"r1", "r2", "r3"}, "shop v1"
		}, "Waits in staging behind shop v1 and 2 releases more.", "Stage deploy begins."},
		{"a freeze", func(r *pipeline.Run, _ *scene) { r.Environments[0].Frozen = "frozen: audit (by bob)" },
			"Held in staging: frozen: audit (by bob).", "It goes on when the freeze ends."},
		{"a pause", func(r *pipeline.Run, _ *scene) { r.Paused = &pipeline.Pause{By: "bob", Reason: "lunch"} },
			"Paused by bob: lunch.", "It goes on when somebody resumes it."},
		{"a need", func(r *pipeline.Run, _ *scene) {
			inProduction(r, 0).State = pipeline.EnvironmentPending
		}, "Waits to go to production: it has to run in staging for 30m first.", "It goes to production."},
		{"a gate", func(r *pipeline.Run, _ *scene) { inProduction(r, 0).Stages[0].Reason = "no evidence of kind tests" },
			"Waits at gate tests in production: no evidence of kind tests.", "Then stage go."},
		{"an approval", func(r *pipeline.Run, _ *scene) {
			inProduction(r, 1).Stages[1].Approvals = []pipeline.ApprovalGiven{{By: "bob"}}
		}, "Waits in production for 1 approval by sre or qa; given by bob.", "Then stage canary."},
		{"a question", func(r *pipeline.Run, _ *scene) { inProduction(r, 2).Stages[2].Asks = "no proof after 1h; promote?" },
			"Held in production: no proof after 1h; promote?", "A release manager or SRE decides; the traffic stays as it is meanwhile."},
		{"a retreat", func(r *pipeline.Run, _ *scene) {
			e := inProduction(r, 2)
			e.State, e.Reason = pipeline.EnvironmentRollingBack, "stage canary failed: more errors"
			r.State = pipeline.RunRollingBack
		}, "Rolling back in production: stage canary failed: more errors.", "The revision that was home before gets the traffic."},
		{"success", func(r *pipeline.Run, _ *scene) {
			inProduction(r, 2).State = pipeline.EnvironmentSucceeded
			r.State = pipeline.RunSucceeded
		}, "Released: it is at home in production.", ""},
		{"a rollback", func(r *pipeline.Run, _ *scene) {
			e := inProduction(r, 2)
			e.State, e.Reason = pipeline.EnvironmentRolledBack, "stage canary failed: more errors"
			r.State = pipeline.RunRolledBack
		}, "Rolled back in production: stage canary failed: more errors.", ""},
		{"a failure", func(r *pipeline.Run, _ *scene) {
			r.Environments[0].State, r.Environments[0].Reason = pipeline.EnvironmentFailed, "stage deploy failed: never ready"
			r.State = pipeline.RunFailed
		}, "Failed in staging before it had any traffic: stage deploy failed: never ready.", ""},
		{"superseded", func(r *pipeline.Run, _ *scene) {
			r.Environments[0].State, r.Environments[0].Reason = pipeline.EnvironmentCancelled, "superseded: by the newer release shop v9"
			r.State = pipeline.RunSuperseded
		}, "Superseded: by the newer release shop v9.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newRun()
			s := scene{run: run}
			c.set(run, &s)
			s.environment = &run.Environments[run.Current()]
			s.plan = run.Plan.Environment(s.environment.Name)
			got := s.story()
			if got.Headline != c.headline || got.Next != c.next {
				t.Errorf("story = %q / %q\nwant    %q / %q", got.Headline, got.Next, c.headline, c.next)
			}
			if strings.HasSuffix(got.Headline, "..") {
				t.Error("two full stops")
			}
		})
	}
}

func TestANeedTellsWhenItHolds(t *testing.T) {
	run := newRun()
	inProduction(run, 0).State = pipeline.EnvironmentPending
	e := &run.Environments[1]
	s := scene{run: run, environment: e, plan: run.Plan.Environment(e.Name)}
	if at := s.story().NextAt; !at.Equal(noon.Add(30 * time.Minute)) {
		t.Errorf("NextAt = %v, want 30 minutes after staging ended", at)
	}
}
