package upgrade

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/router"
	"github.com/fairwayhq/fairway/internal/store"
)

// recording is one that is unpacked for a test.
type recording struct {
	database string // a file of SQLite
	table    string // the router's
}

func recordingOf(t *testing.T, name string) recording {
	t.Helper()
	folder := filepath.Join("testdata", name)
	r := recording{database: filepath.Join(t.TempDir(), "fairway.db"), table: filepath.Join(folder, "table.json")}
	unpack(t, filepath.Join(folder, "database.sql.gz"), r.database)
	return r
}

// recordings are their names, the newest last.
func recordings(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*/database.sql.gz") // sorted, by date
	if err != nil || len(files) < 8 {
		t.Fatalf("there are %d recordings, %v", len(files), err)
	}
	for _, file := range files {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

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

// The newest recording has tasks of all kinds that workers treat apart.
func TestTheNewestRecordingHasAllKindsOfTasks(t *testing.T) {
	kinds := map[string]func(drive.TaskRow) bool{
		"a canary that has begun":           func(r drive.TaskRow) bool { return !r.Undo && !r.Job && !r.Exposed && r.Fence > 0 },
		"a watch behind a canary":           func(r drive.TaskRow) bool { return !r.Undo && !r.Job && r.Exposed },
		"a job under way behind a canary":   func(r drive.TaskRow) bool { return !r.Undo && r.Job && r.Exposed && r.Fence > 0 },
		"the undoing of a job and a canary": func(r drive.TaskRow) bool { return r.Undo && r.Job && r.Exposed },
	}
	names := recordings(t)
	tasks := tasksOf(t, recordingOf(t, names[len(names)-1]).database)
	for kind, is := range kinds {
		if !slices.ContainsFunc(tasks, is) {
			t.Errorf("it has no task that is %s", kind)
		}
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
	for _, task := range tasksIn(t, st) {
		if found := begunAt.FindSubmatch(task.State); found != nil {
			name = string(found[1])
		}
	}
	return name
}

// tasksOf are those of a file, whose tables are brought up to date by that.
func tasksOf(t *testing.T, file string) []drive.TaskRow {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	tasks := tasksIn(t, st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return tasks
}

// tasksIn are all tasks, in the order in which workers get them.
func tasksIn(t *testing.T, st tables) (tasks []drive.TaskRow) {
	t.Helper()
	err := st.View(context.Background(), func(tx *store.Tx) (err error) {
		tasks, err = tx.LeasableTasks(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), drive.Wanted{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}
