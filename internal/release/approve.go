package release

import (
	"context"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Approval answers what waits for a person. Environment and Stage may be empty:
// the ones that wait. Digest and PlanHash bind the answer to what was looked at;
// where they are empty it is bound to what the release has.
type Approval struct {
	Environment string
	Stage       string
	Digest      string
	PlanHash    string
	Reason      string
}

// Approve says yes: to an approval stage by one of the plan's roles, or, in the
// place of missing proof, to a held canary or watch by a release manager or SRE.
// The release's author may do neither.
func (c *Control) Approve(ctx context.Context, who auth.Identity, ref string, a Approval) error {
	return c.answer(ctx, who, ref, a, pipeline.EventApproved)
}

// Reject says no, which takes the environment back. The same people may.
func (c *Control) Reject(ctx context.Context, who auth.Identity, ref string, a Approval) error {
	return c.answer(ctx, who, ref, a, pipeline.EventRejected)
}

func (c *Control) answer(ctx context.Context, who auth.Identity, ref string, a Approval, kind pipeline.EventKind) error {
	if who.Worker {
		return fault.Errorf(fault.Denied, "a worker's token cannot approve or reject").WithHint("sign in as a person")
	}
	s, err := c.load(ctx, ref)
	if err != nil {
		return err
	}
	e, err := s.environment(a.Environment)
	if err != nil {
		return err
	}
	q, ok := questionIn(&s.run, e)
	if !ok {
		return fault.Errorf(fault.Conflict, "nothing waits for an answer in %s", e.Name).
			WithHint("`fairway status %s` says what it waits for", s.label())
	}
	if a.Stage != "" && a.Stage != q.stage.Name {
		return fault.Errorf(fault.Conflict, "stage %s does not wait for an answer in %s; stage %s does", a.Stage, e.Name, q.stage.Name)
	}
	if err := s.bound(a); err != nil {
		return err
	}
	if err := q.mayAnswer(who, s.run.Author); err != nil {
		return err
	}
	return c.apply(ctx, s, who, pipeline.Event{
		Kind: kind, Environment: e.Name, Stage: q.stage.Name, Reason: a.Reason, Digest: s.Digest, PlanHash: s.PlanHash,
	})
}

// bound refuses an answer that was given to something else than this release.
func (s *subject) bound(a Approval) error {
	const hint = "look at the release again, and answer what it has now"
	if a.Digest != "" && !strings.EqualFold(a.Digest, s.Digest) {
		return fault.Errorf(fault.Conflict, "the answer is for the artifact %s, but %s has %s", a.Digest, s.label(), s.Digest).WithHint(hint)
	}
	if a.PlanHash != "" && !strings.EqualFold(a.PlanHash, s.PlanHash) {
		return fault.Errorf(fault.Conflict, "the answer is for the plan %s, but %s has %s", a.PlanHash, s.label(), s.PlanHash).WithHint(hint)
	}
	return nil
}

// question is what waits for a person in one environment.
type question struct {
	stage *pipeline.Stage
	run   *pipeline.StageRun
	// decides marks a held canary or watch: a person stands in for missing proof.
	decides bool
	roles   []string
}

// questionIn returns what waits for a person in the environment, if anything does.
func questionIn(r *pipeline.Run, e *pipeline.EnvironmentRun) (question, bool) {
	plan := r.Plan.Environment(e.Name)
	if plan != nil && e.Asks != "" {
		return question{stage: &plan.Stages[e.Stage], run: &pipeline.StageRun{Asks: e.Asks}, decides: true, roles: names(mayDecide)}, true
	}
	if plan == nil || e.State != pipeline.EnvironmentRunning {
		return question{}, false
	}
	stage, s := &plan.Stages[e.Stage], &e.Stages[e.Stage]
	switch {
	case s.State != pipeline.StageRunning:
		return question{}, false
	case stage.Kind == pipeline.KindApproval:
		return question{stage: stage, run: s, roles: stage.Approval.Roles}, true
	case s.Asks != "":
		return question{stage: stage, run: s, decides: true, roles: names(mayDecide)}, true
	}
	return question{}, false
}

func (q question) mayAnswer(who auth.Identity, author string) error {
	if who.User == author {
		return fault.Errorf(fault.Denied, "%s made this release and cannot approve it", who.User).
			WithHint("ask somebody else with the role %s", either(q.roles))
	}
	if !holds(who, q.roles) {
		return fault.Errorf(fault.Denied, "%s may not answer for stage %s: it takes the role %s", who.User, q.stage.Name, either(q.roles)).
			WithHint("ask somebody with the role")
	}
	return nil
}
