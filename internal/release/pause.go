package release

import (
	"context"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Pause stops the release from advancing; it may still retreat.
func (c *Control) Pause(ctx context.Context, who auth.Identity, ref string, a Action) error {
	return c.hold(ctx, who, ref, "pause releases", pipeline.Event{Kind: pipeline.EventPaused, Reason: a.Reason})
}

// Resume lets a paused release go on.
func (c *Control) Resume(ctx context.Context, who auth.Identity, ref string, a Action) error {
	return c.hold(ctx, who, ref, "resume releases", pipeline.Event{Kind: pipeline.EventResumed, Reason: a.Reason})
}

func (c *Control) hold(ctx context.Context, who auth.Identity, ref, what string, ev pipeline.Event) error {
	if err := need(who, what, mayPause...); err != nil {
		return err
	}
	s, err := c.load(ctx, ref)
	if err != nil {
		return err
	}
	return c.apply(ctx, s, who, ev)
}
