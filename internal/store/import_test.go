package store_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/postgres"
)

// fullOfAll makes a database file with something in every table.
func fullOfAll(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "fairway.db")
	st, err := store.Open(t.Context(), store.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id := fmt.Sprint("r", i)
		addReleaseOf(t, st, id, fmt.Sprint("service", i%2))
		for n := range 4 {
			if err := addLine(t.Context(), st, id, fmt.Sprint("line ", n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	point := stage.Point{Looked: day, Sample: judge.Sample{At: day, Stable: judge.Arm{Latency: judge.Histogram{Bounds: []float64{0.1, 1}, Counts: []int64{1, 2, 3}}}}}
	err = st.Release().Update(t.Context(), func(tx release.Tx) error {
		if _, err := tx.NextFence("service0/staging"); err != nil {
			return err
		}
		if _, err := tx.Claim("sweep", day, day.Add(time.Hour)); err != nil {
			return err
		}
		for _, err := range []error{
			tx.PutTask(drive.TaskRow{ID: "t", Release: "r0", Service: "service0", Environment: "staging", Stage: "canary", Undo: true, State: []byte(`{"a":1}`), Fence: 7}),
			tx.JoinLane("service0/staging", "r0", "staging"), tx.HoldLane("service0/staging", "r0"),
			tx.JoinLane("service0/staging", "r2", "staging"),
			tx.AddFreeze(drive.Freeze{ID: "f", Reason: "audit", From: day}), tx.SetHome("service0/staging", "r0"),
			tx.AppendPoints("r0", "staging", "canary", []stage.Point{point, point}),
			tx.AddEvidence(pipeline.Evidence{ID: "e", Digest: "d", Kind: "tests", Status: "passed", At: day}),
			tx.PutMessage(drive.Message{ID: "m", Release: "r0", Webhook: "http://127.0.0.1/", NotBefore: day}),
			tx.Remember("ann", "key", "r0"), tx.NoteAlive(day), tx.SaveDrift(drive.Drift{Lane: "service0/staging", Release: "r0", At: day}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Auth().Update(t.Context(), func(tx auth.Tx) error {
		for _, err := range []error{
			tx.AddUser(auth.User{Name: "ann", Roles: []auth.Role{auth.SRE}, CreatedAt: day}),
			tx.AddToken(auth.Token{ID: "t", User: "ann", Name: "ci", Hash: "h", Worker: true, CreatedAt: day}),
			tx.AddSession(auth.Session{Hash: "s", User: "ann", CreatedAt: day, ExpiresAt: day.Add(time.Hour)}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Release().Update(t.Context(), func(tx release.Tx) error {
		plan := storetest.Plan("service0")
		plan.With = []pipeline.Component{{Service: "service9", Version: "v9", Artifact: "nine", Digest: "d9"}}
		return tx.AddRelease(release.Release{ID: "r9", Service: "service0", CreatedAt: day}, plan, pipeline.NewRun(plan, "ann", day))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnImportBringsEverythingAndIsNotDoneTwice(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	name, url := database(t, server)
	st := openPostgres(t, url)
	file := fullOfAll(t)
	before := readAll(t, file, nil)
	got, err := st.Import(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Releases != 6 || got.Lines != 20 {
		t.Errorf("it brought %+v, want 6 releases and 20 lines", got)
	}

	db := store.Raw(t, file)
	defer func() { _ = db.Close() }()
	var tables []string
	rows, err := db.QueryContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' AND name <> 'moved'")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil || len(tables) < 20 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	for _, table := range tables {
		var here, there int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&here); err != nil {
			t.Fatal(err)
		}
		if err := server.Scan(t.Context(), server.URL(name), &there, "SELECT count(*) FROM "+table); err != nil {
			t.Error(err)
		}
		if here == 0 || here != there {
			t.Errorf("table %s has %d rows in the file and %d in PostgreSQL; the test needs some", table, here, there)
		}
	}

	if diff := cmp.Diff(before, readAll(t, "", st)); diff != "" {
		t.Errorf("what is read from the file and from PostgreSQL differs (-file +PostgreSQL):\n%s", diff)
	}
	// It goes on from there: numbers, IDs and fences grow.
	if err := addLine(t.Context(), st, "r0", "next"); err != nil {
		t.Error(err)
	}
	err = st.Drive().Update(t.Context(), func(tx drive.Tx) error {
		if fence, err := tx.NextFence("service0/staging"); err != nil || fence != 2 {
			t.Errorf("the next fence is %d, %v, want 2", fence, err)
		}
		return tx.AppendPoints("r0", "staging", "canary", []stage.Point{{Looked: day}})
	})
	if err != nil {
		t.Error(err)
	}
	if lines := recent(t, st); lines[len(lines)-1].Text != "next" {
		t.Errorf("the last line is %q, want the one that was added after the import", lines[len(lines)-1].Text)
	}

	if _, err := st.Import(t.Context(), file); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "was imported") {
		t.Errorf("a second import: %v, want a conflict", err)
	}
	if _, err := st.Import(t.Context(), fullOfAll(t)); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("an import of another file: %v, want a conflict", err)
	}
}

func TestNobodyGoesOnWithAFileThatWasImported(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	name, url := database(t, server)
	st := openPostgres(t, url)
	dir := t.TempDir()
	file, copied := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy.db")
	from := opensAt(t, file)
	must(t, shipped(t.Context(), from, "r0", 3))
	if _, err := store.Backup(t.Context(), file, copied); err != nil {
		t.Fatal(err)
	}
	must(t, from.Close())
	began := time.Now().UTC().Truncate(time.Second)
	if _, err := st.Import(t.Context(), file); err != nil {
		t.Fatal(err)
	}

	refused := func(what string, err error) {
		t.Helper()
		at := regexp.MustCompile("at (20[-:0-9T]+Z)").FindStringSubmatch(fmt.Sprint(err))
		if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "was imported into the database "+name+" at 127.0.0.1") ||
			!strings.Contains(fault.HintOf(err), "--take-back") || at == nil {
			t.Errorf("%s: %v (%s), want a conflict that says where to, when, and what to do", what, err, fault.HintOf(err))
			return
		}
		if when, err := time.Parse(time.RFC3339, at[1]); err != nil || when.Before(began) || when.After(time.Now()) {
			t.Errorf("%s: it says %s, %v", what, at[1], err)
		}
	}
	_, err := store.Open(t.Context(), store.Config{Path: file})
	refused("opening it", err)
	_, err = store.Backup(t.Context(), file, filepath.Join(dir, "later.db"))
	refused("a backup", err)
	_, _, err = store.Restore(t.Context(), copied, file, true, time.Now())
	refused("a restore into its place", err)

	if place, err := store.TakeBack(t.Context(), file); err != nil || !strings.Contains(place, name) {
		t.Fatalf("taken back from %q, %v", place, err)
	}
	must(t, shipped(t.Context(), opensAt(t, file), "r1", 3))
	if _, err := store.TakeBack(t.Context(), copied); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("taking back what was not imported: %v, want a conflict", err)
	}
}

func TestAnImportThatIsRefusedLeavesNoMark(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	st := openPostgres(t, url)
	if _, err := st.Import(t.Context(), fullOfAll(t)); err != nil {
		t.Fatal(err)
	}
	file := fullOfAll(t)
	if _, err := st.Import(t.Context(), file); err == nil {
		t.Fatal("two files were imported into one database")
	}
	must(t, opensAt(t, file).Close())
}

func recent(t *testing.T, st store.Store) (lines []ledger.Event) {
	t.Helper()
	err := st.Release().View(t.Context(), func(tx release.Tx) (err error) {
		lines, _, err = tx.RecentEvents(0, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// everything is what readers see of a store.
type everything struct {
	Records []drive.Record
	Lines   []ledger.Event
	Tasks   []drive.TaskRow
	Lane    []drive.LaneEntry
	Freezes []drive.Freeze
	Homes   map[string]string
	Points  []release.SampledPoint
	Tokens  []auth.Token
}

func readAll(t *testing.T, file string, st store.Store) (all everything) {
	t.Helper()
	if st == nil {
		opened, err := store.Open(t.Context(), store.Config{Path: file})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = opened.Close() }()
		st = opened
	}
	all.Lines = recent(t, st)
	err := st.Release().View(t.Context(), func(tx release.Tx) (err error) {
		for i := range 5 {
			r, err := tx.LoadRun(fmt.Sprint("r", i))
			if err != nil {
				return err
			}
			all.Records = append(all.Records, r)
		}
		if all.Tasks, err = tx.HeldTasks(""); err != nil {
			return err
		}
		if all.Lane, err = tx.Lane("service0/staging"); err != nil {
			return err
		}
		if all.Freezes, err = tx.Freezes(); err != nil {
			return err
		}
		if all.Homes, err = tx.Homes("service0"); err != nil {
			return err
		}
		all.Points, err = tx.LoadPoints("r0", "", 0, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Auth().View(t.Context(), func(tx auth.Tx) (err error) {
		all.Tokens, err = tx.ListTokens("")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnImportThatCannotBeDoneLeavesNothing(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	st := openPostgres(t, url)

	_, err := st.Import(t.Context(), filepath.Join(t.TempDir(), "none.db"))
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an import of nothing: %v, want not found", err)
	}

	file := fullOfAll(t)
	open, err := store.Open(t.Context(), store.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Import(t.Context(), file); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an import of what a server has open: %v, want a conflict", err)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}

	db := store.Raw(t, file)
	if _, err := db.ExecContext(t.Context(), "UPDATE events SET text = 'forged' WHERE release = 'r3' AND seq = 2"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = st.Import(t.Context(), file)
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "release r3") {
		t.Errorf("an import of a forged ledger: %v, want a conflict that names the release", err)
	}
	var services []string
	err = st.Release().View(t.Context(), func(tx release.Tx) (err error) {
		services, err = tx.Services()
		return err
	})
	if err != nil || len(services) > 0 {
		t.Errorf("the refused imports left %v, %v", slices.Clone(services), err)
	}
}
