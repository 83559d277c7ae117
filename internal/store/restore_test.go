package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// killed leaves a database as the end of its server by kill -9 does: what was committed last
// is in the write-ahead log beside the file alone.
func killed(t *testing.T, file, id string) {
	t.Helper()
	killedAfter(t, file, id, 5)
}

func killedAfter(t *testing.T, file, id string, lines int) {
	t.Helper()
	live := filepath.Join(t.TempDir(), "fairway.db")
	must(t, shipped(t.Context(), opensAt(t, live), id, lines))
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(live + suffix)
		if err != nil || len(text) == 0 {
			t.Fatalf("%s%s has %d bytes, %v; the test needs some", live, suffix, len(text), err)
		}
		must(t, os.WriteFile(file+suffix, text, 0o600))
	}
}

func TestWhatIsInTheLogOfABackupIsRestored(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "data", "fairway.db"), filepath.Join(dir, "copy")
	killed(t, file, "r0")
	before, err := os.ReadFile(file)
	must(t, err)

	found, _, err := store.Restore(t.Context(), file, database, false, time.Now())
	if err != nil || found.Releases != 1 || found.Lines != 5 {
		t.Fatalf("restored %+v, %v; want the release and its 5 lines", found, err)
	}
	if there, err := store.Verify(t.Context(), database); err != nil || there != found {
		t.Errorf("the restored database has %+v, %v; it was said to have %+v", there, err, found)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the backup was changed, %v", err)
	}
	if beside, _ := filepath.Glob(file + "?*"); len(beside) != 1 || beside[0] != file+"-wal" {
		t.Errorf("beside the backup are now %v, want its log alone", beside)
	}
	if left, _ := filepath.Glob(database + ".part*"); len(left) > 0 {
		t.Errorf("the restore has left %v", left)
	}
	if again, err := store.Verify(t.Context(), file); err != nil || again.Lines != 5 {
		t.Errorf("the backup has now %+v, %v", again, err)
	}
}

// writes calls the function when somebody first asks whether the context has ended.
type writes struct {
	context.Context
	write func()
}

func (w writes) Err() error { w.write(); return w.Context.Err() }

// A file and its log that are of two instants may be anything.
func TestABackupThatIsWrittenWhileItIsCopiedIsRefused(t *testing.T) {
	database, file := filepath.Join(t.TempDir(), "fairway.db"), filepath.Join(t.TempDir(), "copy")
	killed(t, file, "r0")
	ctx := writes{t.Context(), sync.OnceFunc(func() {
		log, err := os.OpenFile(file+"-wal", os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = log.WriteString("more")
		must(t, errors.Join(err, log.Close()))
	})}
	_, _, err := store.Restore(ctx, file, database, false, time.Now())
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "while it was copied") {
		t.Errorf("the restore: %v, want a conflict that says so", err)
	}
	if left, _ := filepath.Glob(database + "*"); len(left) != 1 || left[0] != database+".lock" {
		t.Errorf("the restore has left %v", left)
	}
	if _, _, err := store.Restore(t.Context(), file, database, false, time.Now()); err != nil {
		t.Errorf("the restore again: %v", err)
	}
}

// A database that a restore kept may have a log, too: it is what whoever took the wrong
// backup restores next.
func TestWhatWasKeptIsRestoredWhole(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	killed(t, database, "r0")
	empty := filepath.Join(dir, "empty.db")
	must(t, opensAt(t, empty).Close())
	_, err := store.Backup(t.Context(), empty, file)
	must(t, err)

	_, kept, err := store.Restore(t.Context(), file, database, true, time.Now())
	must(t, err)
	if left, _ := filepath.Glob(kept + "-*"); len(left) > 0 {
		t.Errorf("the kept database is not one file: beside it are %v", left)
	}
	if found, err := store.Verify(t.Context(), database); err != nil || found.Releases != 0 {
		t.Fatalf("the restored database has %+v, %v; the backup was empty", found, err)
	}
	_, _, err = store.Restore(t.Context(), kept, database, true, time.Now())
	must(t, err)
	if found, err := store.Verify(t.Context(), database); err != nil || found.Releases != 1 || found.Lines != 5 {
		t.Errorf("restored from what was kept: %+v, %v; want the release and its 5 lines", found, err)
	}
}

func TestTwoRestoresInOneSecondKeepBothDatabases(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	now, seen := time.Now(), map[string]bool{}
	for n := range 3 {
		live := filepath.Join(t.TempDir(), "fairway.db")
		st := opensAt(t, live)
		must(t, shipped(t.Context(), st, "r0", n+1))
		_, err := store.Backup(t.Context(), live, fmt.Sprint(file, n))
		must(t, err)
		_, kept, err := store.Restore(t.Context(), fmt.Sprint(file, n), database, true, now)
		must(t, err)
		if n == 0 {
			continue
		}
		if found, err := store.Verify(t.Context(), kept); err != nil || found.Lines != int64(n) || seen[kept] {
			t.Errorf("restore %d kept %s with %+v, %v; want a new file with %d lines", n, kept, found, err, n)
		}
		seen[kept] = true
	}
}

// The log of a damaged database cannot be worked in. The new database must not meet it.
func TestADamagedDatabaseIsKeptWithItsLog(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	killed(t, file, "r0")
	killed(t, database, "r1")
	overwrite(t, database, 0, bytes.Repeat([]byte("no database "), 100))
	overwrite(t, database+"-wal", 0, bytes.Repeat([]byte("no log "), 10))
	log, err := os.ReadFile(database + "-wal")
	must(t, err)

	found, kept, err := store.Restore(t.Context(), file, database, true, time.Now())
	if err != nil || found.Lines != 5 {
		t.Fatalf("restored %+v, %v", found, err)
	}
	if text, err := os.ReadFile(kept + "-wal"); err != nil || !bytes.Equal(text, log) {
		t.Errorf("the log of what was there has %d bytes beside %s, %v; it had %d", len(text), kept, err, len(log))
	}
	if there, err := store.Verify(t.Context(), database); err != nil || there.Lines != 5 {
		t.Errorf("the restored database has %+v, %v", there, err)
	}
}

// SQLite finds out only when it brings the log into the file: that a megabyte is missing.
func TestADatabaseThatIsCutShortIsKeptWithItsLog(t *testing.T) {
	dir := t.TempDir()
	database, file, live := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy"), filepath.Join(dir, "live")
	killed(t, file, "r0")
	killed(t, live, "r1")
	db := store.Raw(t, live)
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"CREATE TABLE large AS SELECT zeroblob(1000000)", "PRAGMA wal_checkpoint(TRUNCATE)", "CREATE TABLE small (x)",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(live + suffix)
		must(t, err)
		must(t, os.WriteFile(database+suffix, text, 0o600))
	}
	must(t, os.Truncate(database, 250_000))
	log, err := os.Stat(database + "-wal")
	must(t, err)

	found, kept, err := store.Restore(t.Context(), file, database, true, time.Now())
	if err != nil || found.Lines != 5 {
		t.Fatalf("restored %+v, %v", found, err)
	}
	if there, err := os.Stat(kept + "-wal"); err != nil || there.Size() != log.Size() {
		t.Errorf("the log of what was there is %+v, %v; it had %d bytes", there, err, log.Size())
	}
}

func TestALogWithoutItsDatabaseKeepsNobodyFromARestore(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	killed(t, file, "r0")
	killed(t, database, "r1")
	must(t, os.Remove(database))

	found, _, err := store.Restore(t.Context(), file, database, false, time.Now())
	if err != nil || found.Lines != 5 {
		t.Fatalf("restored %+v, %v", found, err)
	}
	logs, err := filepath.Glob(database + ".before-*-wal")
	if err != nil || len(logs) != 1 {
		t.Errorf("what is left of the log: %q, %v", logs, err)
	}
	if there, err := store.Verify(t.Context(), database); err != nil || there.Lines != 5 {
		t.Errorf("the restored database has %+v, %v", there, err)
	}
}

// SQLite empties a log only where nobody reads. The one that it leaves is the old database's.
func TestADatabaseIsNotPartedFromALogThatIsNeeded(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(dir, "copy")
	killed(t, file, "r0")
	killed(t, database, "r1")
	store.SetBusyTimeout(t, 50*time.Millisecond)
	db := store.Raw(t, database)
	defer func() { _ = db.Close() }()
	reads, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = reads.Rollback() }()
	lines := 0
	must(t, reads.QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&lines))

	_, kept, err := store.Restore(t.Context(), file, database, true, time.Now())
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), "restore again") {
		t.Errorf("a restore while the log could not be emptied: %v (%s), want that it is to be tried again", err, fault.HintOf(err))
	}
	if info, err := os.Stat(database + "-wal"); err != nil || info.Size() == 0 || kept != "" {
		t.Errorf("the log of what is there: %v; kept is %q", err, kept)
	}
	must(t, reads.Rollback())
	must(t, db.Close())
	if there, err := store.Verify(t.Context(), database); err != nil || there.Lines != 5 {
		t.Errorf("what is there has %+v, %v, want its 5 lines", there, err)
	}
	if _, _, err := store.Restore(t.Context(), file, database, true, time.Now()); err != nil {
		t.Errorf("the restore again: %v", err)
	}
}

func TestAReplacingThatFailsPutsTheLogsBack(t *testing.T) {
	database := filepath.Join(t.TempDir(), "fairway.db")
	killed(t, database, "r1")
	overwrite(t, database, 0, bytes.Repeat([]byte("no database "), 100))
	before := folderOf(t, database)

	kept, err := store.ReplaceBy(t.Context(), database+".not-there", database, time.Now())
	if err == nil || kept != "" {
		t.Errorf("replaced by nothing: kept %q, %v", kept, err)
	}
	after := folderOf(t, database)
	delete(after, "fairway.db-shm") // is made by whoever looks, and says nothing
	if !maps.Equal(before, after) {
		t.Errorf("the folder has now %v, want what it had, %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// folderOf has the names and the texts of what is in the file's folder.
func folderOf(t *testing.T, file string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	must(t, err)
	for _, name := range found {
		text, err := os.ReadFile(name)
		must(t, err)
		texts[filepath.Base(name)] = string(text)
	}
	return texts
}

// The folder is the server's user's, and it may be root who restores.
func TestARestoreWritesThroughNoLink(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "copy")
	killed(t, file, "r0")
	for suffix, refused := range map[string]bool{".lock": true, ".part": false, ".part.from": false, ".part.from-wal": false} {
		t.Run(suffix, func(t *testing.T) {
			database, victim := filepath.Join(t.TempDir(), "fairway.db"), filepath.Join(t.TempDir(), "victim")
			must(t, os.WriteFile(victim, []byte("precious"), 0o644))
			must(t, os.Symlink(victim, database+suffix))
			_, _, err := store.Restore(t.Context(), file, database, false, time.Now())
			if refused && (fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "symbolic link")) || !refused && err != nil {
				t.Errorf("the restore: %v", err)
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
				t.Errorf("the file that the link leads to has now %.20q, %v", text, err)
			}
			if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("the file that the link leads to is now %v, %v", info.Mode(), err)
			}
		})
	}
}

// What somebody puts there while the copy is made is neither given away nor restored.
func TestACopyThatWasExchangedIsRefused(t *testing.T) {
	dir := t.TempDir()
	part, other := filepath.Join(dir, "part"), filepath.Join(dir, "other")
	for _, name := range []string{part, other} {
		must(t, os.WriteFile(name, nil, 0o600))
	}
	f, err := os.Open(part)
	must(t, err)
	defer func() { _ = f.Close() }()
	if err := store.SameFile(f, part); err != nil {
		t.Errorf("the file that was made: %v", err)
	}
	must(t, os.Remove(part))
	must(t, os.Symlink(other, part))
	if err := store.SameFile(f, part); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a link in its place: %v, want a conflict", err)
	}
}
