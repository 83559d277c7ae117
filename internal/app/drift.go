package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/release"
)

// driftPatience is how long the others wait for a server that was killed while it looked.
const driftPatience = time.Minute

// lookForDrift looks again and again, until ctx ends, where no other server does.
func lookForDrift(ctx context.Context, every time.Duration, rota rota, control *release.Control, log *slog.Logger) {
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
		if err := rota.once(ctx, "look for drift", every, driftPatience, control.LookForDrift); err != nil && ctx.Err() == nil {
			log.Warn("Not every lane could be looked at for drift.", "error", err)
		}
	}
}
