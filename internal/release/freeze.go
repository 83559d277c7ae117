package release

import (
	"context"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
)

// Freeze stops lanes: of a service, of an environment, of both, or, with neither,
// all of them (stop the line). The ID and who did it are filled in; From defaults
// to now. When it returns, the lanes stand.
func (c *Control) Freeze(ctx context.Context, who auth.Identity, f drive.Freeze) (drive.Freeze, error) {
	if err := need(who, "freeze lanes", mayFreeze...); err != nil {
		return drive.Freeze{}, err
	}
	now := c.now().UTC()
	if f.From.IsZero() {
		f.From = now
	}
	if err := f.Validate(); err != nil {
		return drive.Freeze{}, err
	}
	f.ID, f.By = newID(now), who.User
	if err := c.store.Update(ctx, func(tx Tx) error { return tx.AddFreeze(f) }); err != nil {
		return drive.Freeze{}, err
	}
	return f, c.drive.CheckFreezes(ctx)
}

// Unfreeze ends a freeze.
func (c *Control) Unfreeze(ctx context.Context, who auth.Identity, id string) error {
	if err := need(who, "end freezes", mayFreeze...); err != nil {
		return err
	}
	err := c.store.Update(ctx, func(tx Tx) error { return tx.EndFreeze(id, c.now()) })
	if err != nil {
		return err
	}
	return c.drive.CheckFreezes(ctx)
}

// Freezes returns the freezes that are not ended.
func (c *Control) Freezes(ctx context.Context) ([]drive.Freeze, error) {
	var list []drive.Freeze
	err := c.view(ctx, func(tx Tx) error {
		var err error
		list, err = tx.Freezes()
		return err
	})
	return list, err
}
