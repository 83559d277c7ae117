package release

import (
	"context"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Rollback takes the release back in one environment (default: the current one).
// A developer may do so with a release of their own; support, SRE and release
// managers with any.
func (c *Control) Rollback(ctx context.Context, who auth.Identity, ref string, a Action) error {
	s, err := c.load(ctx, ref)
	if err != nil {
		return err
	}
	if err := mayTakeBack(who, s.Release); err != nil {
		return err
	}
	e, err := s.environment(a.Environment)
	if err != nil {
		return err
	}
	if e.State == pipeline.EnvironmentSucceeded {
		if err := c.stillHome(ctx, s.Release, e.Name); err != nil {
			return err
		}
	}
	return c.apply(ctx, s, who, pipeline.Event{Kind: pipeline.EventRollback, Environment: e.Name, Reason: a.Reason})
}

func mayTakeBack(who auth.Identity, r Release) error {
	return needOwn(who, "roll back a release of "+r.Author, r.Author, mayRollback...)
}

// stillHome refuses to take a release back where a newer one has taken its place.
func (c *Control) stillHome(ctx context.Context, r Release, environment string) error {
	return c.view(ctx, func(tx Tx) error {
		homes, err := tx.Homes(r.Service)
		if err != nil {
			return err
		}
		home := homes[environment]
		if home == "" || home == r.ID {
			return nil
		}
		newer, err := tx.LoadRelease(home)
		if err != nil {
			return err
		}
		return fault.Errorf(fault.Conflict, "%s is no longer what runs in %s: %s is", r.label(), environment, newer.label()).
			WithHint("roll that one back, or bring an older one home with `fairway rollback %s --to VERSION`", r.Service)
	})
}
