package app

import (
	"context"
	"io"
	"log/slog"
	"strings"
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

func TestAServerThatEndsDoesNotSayThatItGoesOn(t *testing.T) {
	nobody := "--database=postgres://fairway@127.0.0.1:1/fairway"
	for _, args := range [][]string{
		{nobody, "--database-wait=0s", "--no-worker", "--listen=127.0.0.1:0", "--data-dir=" + t.TempDir()},
		{"migrate", nobody},
	} {
		cmd := serverCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(args)
		cmd.SetErr(io.Discard)
		err := cmd.ExecuteContext(t.Context())
		hint := fault.HintOf(err)
		if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(hint, "URL of --database leads to it") || strings.Contains(hint, "by itself") {
			t.Errorf("%v ended with %v and the hint %q", args, err, hint)
		}
		if args[0] == nobody && !strings.Contains(err.Error(), "has tried for 0s (--database-wait)") {
			t.Errorf("it does not say how long it has tried: %v", err)
		}
	}
}
