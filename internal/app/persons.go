package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/release"
)

// personsEvery is how often a server looks for releases that wait for a person.
const personsEvery = time.Minute

// lookForPersons looks for them again and again until ctx ends, for the metrics: a scrape
// would read every release that goes on.
func lookForPersons(ctx context.Context, control *release.Control, log *slog.Logger) {
	ticker := time.NewTicker(personsEvery)
	defer ticker.Stop()
	for {
		if err := control.LookForPersons(ctx); err != nil && ctx.Err() == nil {
			log.Error("Looking for releases that wait for a person failed.", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
