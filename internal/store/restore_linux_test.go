package store_test

import (
	"bytes"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

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
