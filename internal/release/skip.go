package release

import (
	"context"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Skip leaves an environment out. The plan says which roles may; a reason is required.
func (c *Control) Skip(ctx context.Context, who auth.Identity, ref string, a Action) error {
	s, err := c.load(ctx, ref)
	if err != nil {
		return err
	}
	e, err := s.environment(a.Environment)
	if err != nil {
		return err
	}
	roles := skipRoles(s.run.Plan, e.Name)
	if !holds(who, roles) {
		return fault.Errorf(fault.Denied, "%s may not skip %s: it takes the role %s", who.User, e.Name, either(roles)).
			WithHint("ask somebody with the role")
	}
	if strings.TrimSpace(a.Reason) == "" {
		return fault.Errorf(fault.Invalid, "skipping %s needs a reason", a.Environment).
			WithHint("say why with --reason; it is kept in the release's events")
	}
	return c.apply(ctx, s, who, pipeline.Event{Kind: pipeline.EventSkipped, Environment: s.meant(a.Environment, e), Reason: a.Reason})
}

func skipRoles(p *pipeline.Plan, environment string) []string {
	if e := p.Environment(environment); e != nil && len(e.SkipRoles) > 0 {
		return e.SkipRoles
	}
	return names(maySkip)
}
