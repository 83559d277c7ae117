package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/release"
)

// lookForDrift looks again and again, until ctx ends.
func lookForDrift(ctx context.Context, every time.Duration, control *release.Control, log *slog.Logger) {
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
		if err := control.LookForDrift(ctx); err != nil && ctx.Err() == nil {
			log.Warn("Not every lane could be looked at for drift.", "error", err)
		}
	}
}
