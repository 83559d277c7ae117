package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
)

// shipped adds a release with a chain of so many lines, each in a transaction of its own.
func shipped(ctx context.Context, st *store.SQLite, id string, lines int) error {
	plan := storetest.Plan("shop")
	err := st.Release().Update(ctx, func(tx release.Tx) error {
		return tx.AddRelease(release.Release{ID: id, Service: "shop", CreatedAt: time.Now()}, plan, pipeline.NewRun(plan, "ann", time.Now()))
	})
	for n := 0; n < lines && err == nil; n++ {
		err = st.Drive().Update(ctx, func(tx drive.Tx) error {
			rec, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			chained, head, err := ledger.Append(ledger.Head{Seq: rec.Seq, Hash: rec.Hash},
				ledger.Event{Release: id, At: time.Now(), Kind: "note", Text: fmt.Sprint(n)})
			if err != nil {
				return err
			}
			rec.Seq, rec.Hash = head.Seq, head.Hash
			if err := tx.AppendEvents(chained); err != nil {
				return err
			}
			return tx.SaveRun(rec, time.Time{})
		})
	}
	return err
}

func opensAt(t *testing.T, path string) *store.SQLite {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestABackupIsOneInstantOfADatabaseThatGoesOn(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "fairway.db")
	st := opensAt(t, database)
	if err := shipped(t.Context(), st, "r0", 20); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := shipped(ctx, st, fmt.Sprintf("w%d-%d", n, i), 30); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	lines := int64(0)
	for n := range 5 {
		file := filepath.Join(dir, fmt.Sprintf("copy%d", n))
		found, err := store.Backup(t.Context(), database, file)
		if err != nil {
			t.Fatal(err)
		}
		if found.Lines < max(lines, 20) || found.Releases < 1 || found.Schema == 0 {
			t.Errorf("copy %d has %+v after %d lines", n, found, lines)
		}
		lines = found.Lines
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy is %v, %v: others may read it", info.Mode(), err)
		}
	}
	stop()
	writers.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part*")); len(left) > 0 {
		t.Errorf("the backups left %v", left)
	}
}

func TestABackupReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	opensAt(t, database)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Backup(t.Context(), database, file); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a backup over another file = %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file has now %q", text)
	}
	if _, err := store.Backup(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "copy2")); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a backup of nothing = %v", err)
	}
}

func TestWhatWasChangedOrDamagedIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	database, whole := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "whole")
	st := opensAt(t, database)
	if err := shipped(t.Context(), st, "r0", 300); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Backup(t.Context(), database, whole); err != nil {
		t.Fatal(err)
	}
	statement := func(query string) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, harm := range map[string]func(t *testing.T, file string){
		"a line that was changed":       statement(`UPDATE events SET text = 'nothing happened' WHERE seq = 7`),
		"a line that is missing":        statement(`DELETE FROM events WHERE seq = 7`),
		"an end that was cut off":       statement(`DELETE FROM events WHERE seq > 290`),
		"lines without a release":       statement(`UPDATE events SET release = 'r1'`),
		"a plan that is missing":        statement(`DELETE FROM plans`),
		"a newer Fairway":               statement(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`),
		"another program":               statement(`DROP TABLE goose_db_version`),
		"a page of another file":        func(t *testing.T, file string) { overwrite(t, file, 8192, bytes.Repeat([]byte("x"), 4096)) },
		"a file that is none":           func(t *testing.T, file string) { overwrite(t, file, 0, []byte(strings.Repeat("no database ", 100))) },
		"a file that ends in the midst": func(t *testing.T, file string) { must(t, os.Truncate(file, 20480)) },
	} {
		t.Run(name, func(t *testing.T) {
			file, place := filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "fairway.db")
			text, err := os.ReadFile(whole)
			must(t, err)
			must(t, os.WriteFile(file, text, 0o600))
			harm(t, file)
			if _, _, err := store.Restore(t.Context(), file, place, false, time.Now()); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("restoring it = %v", err)
			}
			if _, err := os.Stat(place); err == nil {
				t.Error("it was restored all the same")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, file string, at int64, text []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(text, at)
	must(t, err)
	must(t, f.Close())
}

func TestARestoredDatabaseIsTheOneThatWasSaved(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	st := opensAt(t, database)
	must(t, shipped(t.Context(), st, "r0", 5))
	_, err := store.Backup(t.Context(), database, file)
	must(t, err)
	must(t, shipped(t.Context(), st, "r1", 5))

	if _, _, err := store.Restore(t.Context(), file, database, true, time.Now()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("restoring under a server that runs = %v", err)
	}
	must(t, st.Close())
	if _, _, err := store.Restore(t.Context(), file, database, false, time.Now()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("restoring over a database unasked = %v", err)
	}
	found, kept, err := store.Restore(t.Context(), file, database, true, time.Now())
	if err != nil || found.Releases != 1 || found.Lines != 5 {
		t.Fatalf("restored %+v, %v", found, err)
	}
	if was, err := store.Verify(t.Context(), kept); err != nil || was.Releases != 2 {
		t.Errorf("the database that was there is kept as %s with %+v, %v", kept, was, err)
	}
	must(t, shipped(t.Context(), opensAt(t, database), "r2", 5))
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the backup is gone: %v", err)
	}
}

func TestWhatRootRestoresBelongsToTheServersUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user = 12345
	dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	must(t, shipped(t.Context(), opensAt(t, database), "r0", 5))
	if _, err := store.Backup(t.Context(), database, file); err != nil {
		t.Fatal(err)
	}
	must(t, os.Mkdir(data, 0o750))
	must(t, os.Chown(data, user, user))
	restored := filepath.Join(data, "fairway.db")
	if _, _, err := store.Restore(t.Context(), file, restored, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(data)
	if err != nil || len(left) < 2 {
		t.Fatalf("the folder has %v, %v; want the database and its lock", left, err)
	}
	for _, entry := range append(left, nil) {
		path, mode := data, os.FileMode(0o750)
		if entry != nil {
			path, mode = filepath.Join(data, entry.Name()), 0o600
		}
		info, err := os.Stat(path)
		must(t, err)
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != user || owner.Gid != user || info.Mode().Perm() != mode {
			t.Errorf("%s belongs to %d:%d with %v, want %d with %v", path, owner.Uid, owner.Gid, info.Mode().Perm(), user, mode)
		}
	}
}
