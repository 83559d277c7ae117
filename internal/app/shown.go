package app

import (
	"context"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

// shownDrive and shownRelease are the store of a server that only shows. The API refuses
// changes before they come here; what was forgotten there does no harm.
type (
	shownDrive   struct{ drive.Store }
	shownRelease struct{ release.Store }
)

// Update refuses.
func (shownDrive) Update(context.Context, func(drive.Tx) error) error { return onlyShown() }

// Update refuses.
func (shownRelease) Update(context.Context, func(release.Tx) error) error { return onlyShown() }

func onlyShown() error {
	return fault.Errorf(fault.Denied, "this server only shows what its database has (--read-only)").
		WithHint("change releases at the server that runs them")
}
