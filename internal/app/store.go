package app

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

// openStore opens the database that the server is started with.
func openStore(ctx context.Context, c ServerConfig) (store.Store, error) {
	if c.Database == "" {
		file := databaseFile(c.DataDir)
		if _, err := os.Stat(file); c.ReadOnly && err != nil {
			return nil, fault.Errorf(fault.NotFound, "there is no database to show: %w", err).
				WithHint("restore a backup first, with `fairway server restore FILE`, or name its folder with --data-dir")
		}
		return store.Open(ctx, store.Config{Path: file})
	}
	if !isPostgres(c.Database) {
		return nil, notPostgres()
	}
	var st *store.Postgres
	err := c.reach(ctx, func() (err error) {
		st, err = store.OpenPostgres(ctx, store.PostgresConfig{URL: c.Database, Log: c.Log})
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// reach does something at the start that needs the database, again and again for a while
// where that is a PostgreSQL which cannot be reached: it may be in the middle of a failover,
// or be started at the same time.
func (c ServerConfig) reach(ctx context.Context, do func() error) error {
	for end := time.Now().Add(c.DatabaseWait); ; {
		err := do()
		if !isPostgres(c.Database) || fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil {
			return err
		}
		if time.Now().After(end) {
			return fault.Errorf(fault.Unavailable, "the server has tried for %s (--database-wait): %w", c.DatabaseWait, err).WithHint("%s", fault.HintOf(err))
		}
		c.Log.Warn("The database cannot be reached yet; the server tries again.", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// openClock returns the clock that all servers on the store go by. It returns
// fault.Conflict where this machine's own is far off.
func (c ServerConfig) openClock(ctx context.Context, st store.Store) (*clock, error) {
	var ahead time.Duration
	err := c.reach(ctx, func() (err error) {
		ahead, err = st.Ahead(ctx)
		return err
	})
	if err == nil {
		err = farOff(ahead)
	}
	return newSharedClock(c.Log, ahead), err
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// desk is where inquiries go through.
type desk interface {
	release.Inquirer
	api.Desk
}

// openDesk returns a desk that servers on the store share, if several may.
func openDesk(st store.Store, now func() time.Time) desk {
	if board, ok := st.(inquiry.Board); ok {
		return inquiry.NewSharedDesk(board, now)
	}
	return inquiry.NewDesk()
}

// hearOthers passes on what other servers on the store say, until ctx ends.
func hearOthers(ctx context.Context, st store.Store, d *drive.Drive, desk desk) {
	shared, _ := desk.(*inquiry.SharedDesk)
	if shared == nil {
		return
	}
	// A ring may be lost, and what it told of may not have been readable yet.
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-st.Rung():
			shared.Heard()
		case <-look.C:
		}
		d.Heard(st.Freed()...)
	}
}
