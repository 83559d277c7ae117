package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/release"
)

// lookForDrift looks again and again, until ctx ends, where no other server does.
func lookForDrift(ctx context.Context, every time.Duration, mine chore, control *release.Control, log *slog.Logger) {
	if every <= 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		switch due, err := mine(ctx, "look for drift", every); {
		case err != nil && ctx.Err() == nil:
			log.Warn("Looking for drift was put off.", "error", err)
			continue
		case !due:
			continue
		}
		if err := control.LookForDrift(ctx); err != nil && ctx.Err() == nil {
			log.Warn("Not every lane could be looked at for drift.", "error", err)
		}
	}
}
