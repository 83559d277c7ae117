package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// A server that is started after a kill in the midst of a restore would else make an empty
// database, with a new admin.
func TestThereIsADatabaseAtEveryInstantOfARestore(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "fairway.db"), filepath.Join(t.TempDir(), "copy")
	killed(t, database, "r0")
	killed(t, file, "r1")
	watch, err := syscall.InotifyInit1(syscall.IN_NONBLOCK)
	must(t, err)
	defer func() { _ = syscall.Close(watch) }()
	_, err = syscall.InotifyAddWatch(watch, dir, syscall.IN_MOVED_FROM|syscall.IN_MOVED_TO|syscall.IN_DELETE)
	must(t, err)

	_, _, err = store.Restore(t.Context(), file, database, true, time.Now())
	must(t, err)

	came := false
	for _, e := range eventsOf(t, watch) {
		if e.name != "fairway.db" {
			continue
		}
		came = came || e.mask&syscall.IN_MOVED_TO != 0
		if e.mask&(syscall.IN_MOVED_FROM|syscall.IN_DELETE) != 0 {
			t.Error("the database was not there for a moment")
		}
	}
	if !came {
		t.Error("the watch saw no new database")
	}
}

// A backup is kept where nobody writes: on a volume that is only read, or in another user's folder.
// SQLite opens no file with a log there.
func TestABackupIsRestoredFromAFolderThatNobodyMayWrite(t *testing.T) {
	for what, put := range map[string]func(t *testing.T, file string){
		"with a log": func(t *testing.T, file string) { killed(t, file, "r0") },
		"without a log": func(t *testing.T, file string) {
			live := filepath.Join(t.TempDir(), "fairway.db")
			st := opensAt(t, live)
			must(t, shipped(t.Context(), st, "r0", 5))
			must(t, st.Close())
			text, err := os.ReadFile(live)
			must(t, err)
			must(t, os.WriteFile(file, text, 0o600))
		},
	} {
		t.Run(what, func(t *testing.T) {
			folder, database := t.TempDir(), filepath.Join(t.TempDir(), "fairway.db")
			file := filepath.Join(folder, "copy")
			if os.Getuid() == 0 { // who may write everywhere else
				mount(t, folder, 0, "size=16m")
				put(t, file)
				must(t, syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
			} else {
				put(t, file)
				must(t, os.Chmod(folder, 0o500))
				defer func() { _ = os.Chmod(folder, 0o700) }()
			}

			found, _, err := store.Restore(t.Context(), file, database, false, time.Now())
			if err != nil || found.Releases != 1 || found.Lines != 5 {
				t.Errorf("restored %+v, %v (%s); want the release and its 5 lines", found, err, fault.HintOf(err))
			}
			if there, err := store.Verify(t.Context(), database); err != nil || there != found {
				t.Errorf("the restored database has %+v, %v; it was said to have %+v", there, err, found)
			}
			_, err = store.Verify(t.Context(), file)
			if fault.CodeOf(err) != fault.Denied || strings.Contains(err.Error(), "damaged") || strings.Contains(fault.HintOf(err), "another backup") {
				t.Errorf("looking at it where it is: %v (%s), want that it may not be opened there", err, fault.HintOf(err))
			}
		})
	}
}

func TestADatabaseIsNotPartedFromItsLogOnAFullDisk(t *testing.T) {
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	const lines = 200 // need more than the room that is left, and are all in the log
	mount(t, folder, 0, "size=32m")
	database, part, ballast := filepath.Join(folder, "fairway.db"), filepath.Join(folder, "part"), filepath.Join(folder, "ballast")
	killedAfter(t, database, "r1", lines)
	must(t, shipped(t.Context(), opensAt(t, file), "r0", 3))
	_, err := store.Backup(t.Context(), file, part)
	must(t, err)
	f, err := os.Create(ballast)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4<<10))
	}
	info, err := f.Stat()
	must(t, err)
	must(t, f.Truncate(info.Size()-64<<10)) // room to read the database, and not for what is in its log
	must(t, f.Close())

	_, err = store.ReplaceBy(t.Context(), part, database, time.Now())
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "full") || !strings.Contains(fault.HintOf(err), "make room") {
		t.Errorf("replaced on a full disk: %v (%s), want that there is no room", err, fault.HintOf(err))
	}
	must(t, os.Remove(ballast))
	if there, err := store.Verify(t.Context(), database); err != nil || there.Lines != lines {
		t.Errorf("what is there has %+v, %v, want its %d lines", there, err, lines)
	}
	kept, err := store.ReplaceBy(t.Context(), part, database, time.Now())
	must(t, err)
	for name, want := range map[string]int64{database: 3, kept: lines} {
		if found, err := store.Verify(t.Context(), name); err != nil || found.Lines != want {
			t.Errorf("%s has %+v, %v, want %d lines", name, found, err, want)
		}
	}
}

type folderEvent struct {
	mask uint32
	name string
}

// eventsOf are those that have happened.
func eventsOf(t *testing.T, watch int) (all []folderEvent) {
	t.Helper()
	buffer := make([]byte, 64<<10)
	n, err := syscall.Read(watch, buffer)
	must(t, err)
	for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
		e := (*syscall.InotifyEvent)(unsafe.Pointer(&rest[0]))
		end := syscall.SizeofInotifyEvent + int(e.Len)
		name := bytes.TrimRight(rest[syscall.SizeofInotifyEvent:end], "\x00")
		all = append(all, folderEvent{e.Mask, string(name)})
		rest = rest[end:]
	}
	return all
}
