package release

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func person(name string, roles ...auth.Role) auth.Identity {
	return auth.Identity{User: name, Roles: roles}
}

func TestActionsFollowFromRolesAndState(t *testing.T) {
	approval := func(r *pipeline.Run) { inProduction(r, 1) }
	asks := func(r *pipeline.Run) { inProduction(r, 2).Stages[2].Asks = "promote?" }
	for _, c := range []struct {
		name string
		who  auth.Identity
		set  func(r *pipeline.Run)
		home string
		want string
	}{
		{"a viewer may look", person("v", auth.Viewer), approval, "", ""},
		{"the author cannot approve", person("ann", auth.Developer, auth.SRE), approval, "", "pause rollback skip"},
		{"not even as an admin", person("ann", auth.Admin), approval, "", "pause rollback skip"},
		{"a role of the plan approves", person("q", auth.QA), approval, "", "approve reject"},
		{"only once", person("q", auth.QA), func(r *pipeline.Run) {
			inProduction(r, 1).Stages[1].Approvals = []pipeline.ApprovalGiven{{By: "q"}}
		}, "", "reject"},
		{"a release manager decides", person("m", auth.ReleaseManager), asks, "", "decide reject pause rollback"},
		{"QA does not decide", person("q", auth.QA), asks, "", ""},
		{"support takes back", person("s", auth.Support), func(*pipeline.Run) {}, "", "pause rollback"},
		{"a developer takes back only their own", person("dan", auth.Developer), func(*pipeline.Run) {}, "", "pause"},
		{"a paused one is resumed", person("ann", auth.Developer), func(r *pipeline.Run) { r.Paused = &pipeline.Pause{} }, "", "resume rollback"},
		{"one that holds its lane is not skipped", person("s", auth.SRE), func(r *pipeline.Run) { r.Environments[0].Lane = pipeline.LaneHeld }, "", "pause rollback"},
		{"what is home goes back late", person("s", auth.SRE), func(r *pipeline.Run) {
			inProduction(r, 2).State = pipeline.EnvironmentSucceeded
			r.State = pipeline.RunSucceeded
		}, "r1", "rollback"},
		{"what was replaced does not", person("s", auth.SRE), func(r *pipeline.Run) {
			inProduction(r, 2).State = pipeline.EnvironmentSucceeded
			r.State = pipeline.RunSucceeded
		}, "r2", ""},
		{"an undo command is begun anew", person("s", auth.SRE), func(r *pipeline.Run) { undoes(r, noon.Add(-time.Minute)) }, "", "rollback"},
		{"but not in its first minute", person("s", auth.SRE), func(r *pipeline.Run) { undoes(r, noon.Add(-59*time.Second)) }, "", ""},
		{"a worker may nothing", auth.Identity{User: "w", Roles: []auth.Role{auth.Admin}, Worker: true}, approval, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newRun()
			c.set(run)
			s := subject{Release: Release{ID: "r1", Author: "ann"}, run: *run}
			got := strings.Join(actions(c.who, s, &s.run.Environments[s.run.Current()], c.home == "r1", noon), " ")
			if got != c.want {
				t.Errorf("actions = %q, want %q", got, c.want)
			}
		})
	}
}

// undoes puts the run into the undo command of a job, which began at the instant.
func undoes(r *pipeline.Run, began time.Time) {
	stage := pipeline.Stage{Name: "migrate", Kind: pipeline.KindJob, Job: &pipeline.Job{Undo: []string{"./down"}}}
	r.Plan.Environments[0].Stages[0] = stage
	e := &r.Environments[0]
	e.Stages[0].State, e.Stages[0].Deadline = pipeline.StageUndoing, began.Add(stage.UndoLimit())
	e.State, r.State = pipeline.EnvironmentRollingBack, pipeline.RunRollingBack
}

func TestADenialNamesTheRole(t *testing.T) {
	err := need(person("v", auth.Viewer), "ship releases", mayShip...)
	if fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "developer, release-manager or sre") || fault.HintOf(err) == "" {
		t.Errorf("need = %v (%s)", err, fault.HintOf(err))
	}
}
