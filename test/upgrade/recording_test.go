package upgrade

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/internal/store"
)

// unpack makes the database of a recording.
func unpack(t *testing.T, file, database string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA synchronous=OFF; BEGIN;" + string(text) + "COMMIT;"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// tables are a store of either kind.
type tables interface {
	store.Store
	View(context.Context, func(*store.Tx) error) error
}

// lastLine is when the recorded server wrote its last line.
func lastLine(t *testing.T, st tables) (at time.Time) {
	t.Helper()
	err := st.View(context.Background(), func(tx *store.Tx) error {
		lines, _, err := tx.RecentEvents(0, 0)
		at = lines[len(lines)-1].At
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// routes are the targets as the recorded router had them.
func routes(t *testing.T, file string) map[string]router.Route {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table router.Table
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	return table.Routes
}

// revisions are those of all recorded releases, by ID.
func revisions(t *testing.T, st tables) map[string]platform.Revision {
	t.Helper()
	all := map[string]platform.Revision{}
	err := st.View(context.Background(), func(tx *store.Tx) error {
		releases, err := tx.ListReleases(release.Filter{})
		if err != nil {
			return err
		}
		for _, r := range releases {
			rec, err := tx.LoadRun(r.ID)
			if err != nil {
				return err
			}
			for i := range rec.Run.Plan.Environments {
				revision := drive.RevisionOf(rec.Run.Plan, &rec.Run.Plan.Environments[i])
				all[revision.ID] = revision
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var begunAt = regexp.MustCompile(`"begun":\{"([0-9a-f]+)"`)

// machine is what the recorded worker's machine was called, by the commands that it began.
func machine(t *testing.T, st tables) (name string) {
	t.Helper()
	err := st.View(context.Background(), func(tx *store.Tx) error {
		tasks, err := tx.LeasableTasks(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), drive.Wanted{})
		for _, task := range tasks {
			if found := begunAt.FindSubmatch(task.State); found != nil {
				name = string(found[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}
