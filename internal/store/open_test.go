package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// wantFault checks the code, that the message says what happened and that a hint says what to do.
func wantFault(t *testing.T, err error, code fault.Code, text string) {
	t.Helper()
	if fault.CodeOf(err) != code || !strings.Contains(fault.MessageOf(err), text) || fault.HintOf(err) == "" {
		t.Errorf("error %q (%s), hint %q; want %s with %q and a hint", fault.MessageOf(err), fault.CodeOf(err), fault.HintOf(err), code, text)
	}
}

func openFails(t *testing.T, path string) error {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err == nil {
		t.Fatal(errors.Join(errors.New("the database was opened"), st.Close()))
	}
	return err
}

// filled returns the path of a closed database with some content.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fairway.db")
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"r1", "r2", "r3"} {
		addRelease(t, st, id)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestADamagedDatabaseIsRefused(t *testing.T) {
	for name, damage := range map[string]func(content []byte) []byte{
		"no database":           func([]byte) []byte { return []byte(strings.Repeat("this is not a database ", 500)) },
		"overwritten":           func(c []byte) []byte { copy(c[100:], strings.Repeat("\xff", len(c)-100)); return c },
		"cut off in the middle": func(c []byte) []byte { return c[:4096+2048] },
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantFault(t, openFails(t, path), fault.Conflict, "is damaged, or is no database")
		})
	}
}

func TestDamageThatShowsLaterIsAnInternalFault(t *testing.T) {
	path := filled(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	marker := []byte(`{"version":1,"state":"pending"`)
	at := strings.Index(string(content), string(marker))
	page := at / 4096 * 4096
	copy(content[page:page+4096], strings.Repeat("\xff", 4096))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	st := openAt(t, path)
	err = st.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.LoadRun("r1")
		return err
	})
	if fault.CodeOf(err) != fault.Internal || !strings.Contains(fault.HintOf(err), "backup") {
		t.Errorf("LoadRun from a damaged page = %v, hint %q; want an internal fault that says to restore a backup", err, fault.HintOf(err))
	}
}

func TestADatabaseOfAnotherProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	rawExec(t, path, "CREATE TABLE plans (id)")
	wantFault(t, openFails(t, path), fault.Conflict, "belongs to another program")
}

func TestADatabaseOfANewerFairwayIsRefused(t *testing.T) {
	path := filled(t)
	rawExec(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	wantFault(t, openFails(t, path), fault.Conflict, "written by a newer Fairway")
}

func rawExec(t *testing.T, path, statement string) {
	t.Helper()
	db := store.Raw(t, path)
	_, err := db.Exec(statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestTwoServersCannotShareADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairway.db")
	st := openAt(t, path)
	err := openFails(t, path)
	wantFault(t, err, fault.Conflict, "another Fairway server (process ")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
}

func TestADatabaseLockedByAToolIsUnavailable(t *testing.T) {
	store.SetBusyTimeout(t, 20*time.Millisecond)
	path := filled(t)
	db := store.Raw(t, path)
	defer db.Close()
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, openFails(t, path), fault.Unavailable, "another program has locked the database")
}

func TestAToolThatLocksForAWhileDelaysButLosesNothing(t *testing.T) {
	store.SetBusyTimeout(t, 20*time.Millisecond)
	path := filled(t)
	st := openAt(t, path)
	db := store.Raw(t, path)
	defer db.Close()
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	put := func() error {
		return st.Update(t.Context(), func(tx *store.Tx) error { return tx.SetHome("shop/staging", "r1") })
	}
	wantFault(t, put(), fault.Unavailable, "another program has locked the database")
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := put(); err != nil {
		t.Errorf("update after the lock is gone: %v", err)
	}
}

func TestAReadOnlyFolderIsDenied(t *testing.T) {
	folder := t.TempDir()
	if os.Getuid() == 0 {
		// Permissions do not bind root, a file system that is mounted so does.
		mount(t, folder, syscall.MS_RDONLY, "size=1m")
	} else if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	wantFault(t, openFails(t, filepath.Join(folder, "fairway.db")), fault.Denied, "may not be written")
	wantFault(t, openFails(t, filepath.Join(folder, "sub", "fairway.db")), fault.Denied, "may not be written")
}

func TestAPathThatIsNoFileIsInvalid(t *testing.T) {
	folder := t.TempDir()
	wantFault(t, openFails(t, folder), fault.Invalid, "is a folder")
	if err := openFails(t, ""); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no path at all: %v, want invalid", err)
	}
}

func TestTheDatabaseIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "100% what?#", "fairway.db")
	st := openAt(t, path)
	if err := st.Update(t.Context(), func(tx *store.Tx) error { return tx.PutMessage(drive.Message{ID: "m"}) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want -rw-------", name, info.Mode())
		}
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	st := openStore(t)
	for range 2 {
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*store.Tx) error { return nil }
	wantFault(t, st.Update(t.Context(), nothing), fault.Unavailable, "closed")
	wantFault(t, st.View(t.Context(), nothing), fault.Unavailable, "closed")
}
