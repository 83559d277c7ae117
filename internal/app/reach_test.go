package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// A database that is started at the same time, or is in the middle of a failover, is waited for.
func TestAServerWaitsForItsDatabase(t *testing.T) {
	unreachable := fault.Errorf(fault.Unavailable, "the database cannot be reached")
	for name, c := range map[string]struct {
		url   string
		fails int
		err   error
		want  fault.Code
		tries int
	}{
		"there at once":       {"postgres://db/fairway", 0, nil, "", 1},
		"there after a while": {"postgres://db/fairway", 5, unreachable, "", 6},
		"never there":         {"postgres://db/fairway", 100, unreachable, fault.Unavailable, 12},
		"refused":             {"postgres://db/fairway", 1, fault.Errorf(fault.Denied, "no"), fault.Denied, 1},
		"a file":              {"", 1, unreachable, fault.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				config := ServerConfig{Database: c.url, DatabaseWait: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}
				err := config.reach(context.Background(), func() error {
					if tries++; tries <= c.fails {
						return c.err
					}
					return nil
				})
				if fault.CodeOf(err) != c.want || tries != c.tries {
					t.Errorf("it ended with %v after %d tries, want %q after %d", err, tries, c.want, c.tries)
				}
			})
		})
	}
}
