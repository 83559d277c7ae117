package store_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// mount puts a file system of its own on the folder until the test ends.
func mount(t *testing.T, folder string, flags uintptr, options string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, options); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
}

// A full disk refuses updates, keeps what it acknowledged, answers reads, and
// goes on by itself when there is room: once by SQLite's own limit, which needs
// no rights, once on a real file system that is full, and once with PostgreSQL's
// tables on one.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Run("limit of pages", func(t *testing.T) {
		st := openStore(t)
		pages, err := st.Pages()
		if err != nil {
			t.Fatal(err)
		}
		limit := func(n int) {
			if err := st.LimitPages(n); err != nil {
				t.Fatal(err)
			}
		}
		limit(pages + 40)
		fullDisk(t, st, func() { limit(1 << 30) })
	})
	t.Run("file system", func(t *testing.T) {
		folder := t.TempDir()
		mount(t, folder, 0, "size=2m")
		st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(folder, "fairway.db")})
		if err != nil {
			t.Fatal(err)
		}
		fullDisk(t, st, func() {
			if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
		})
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		folder, err := os.MkdirTemp("", "fairway-full-") // where PostgreSQL's user may go
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(folder) })
		mount(t, folder, 0, "size=16m,mode=0755")
		server := postgres.ForTest(t, "fsync=off")
		url, err := server.CreateIn(folder, "small")
		if err != nil {
			t.Fatal(err)
		}
		fullDisk(t, openPostgres(t, url), func() {
			if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// full is a store whose disk gets full.
type full interface {
	Update(context.Context, func(*store.Tx) error) error
	View(context.Context, func(*store.Tx) error) error
}

func fullDisk(t *testing.T, st full, makeRoom func()) {
	put := func(id string) error {
		body := []byte(`"` + noise(3000) + `"`)
		return st.Update(t.Context(), func(tx *store.Tx) error { return tx.PutMessage(drive.Message{ID: id, Body: body}) })
	}
	var mu sync.Mutex
	kept := make(map[string]bool)
	var refused atomic.Int64
	fill := func() {
		var all sync.WaitGroup
		for caller := range 8 {
			all.Go(func() {
				for i := range 400 {
					id := fmt.Sprintf("%d-%d-%d", refused.Load(), caller, i)
					if err := put(id); err != nil {
						refused.Add(1)
						wantFault(t, err, fault.Unavailable, "full")
						return
					}
					mu.Lock()
					kept[id] = true
					mu.Unlock()
				}
			})
		}
		all.Wait()
	}
	fill()
	if refused.Load() == 0 {
		t.Fatal("the disk did not get full")
	}
	wantKept(t, st, kept)
	if t.Failed() {
		return
	}

	makeRoom()
	for i := range 100 {
		id := fmt.Sprintf("later-%d", i)
		if err := put(id); err != nil {
			t.Fatalf("update when there is room again: %v", err)
		}
		kept[id] = true
	}
	wantKept(t, st, kept)
}

// noise is a text of so many bytes that no database can keep in fewer.
func noise(size int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw)
	return base64.RawStdEncoding.EncodeToString(raw)[:size]
}

func TestEveryCallerIsAnsweredWhileTheDiskIsFull(t *testing.T) {
	st := openStore(t)
	pages, err := st.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.LimitPages(pages); err != nil {
		t.Fatal(err)
	}
	big := []byte(`"` + strings.Repeat("x", 1<<16) + `"`)
	const callers, tries = 16, 50
	answers := make(chan error, callers*tries)
	for range callers {
		go func() {
			for range tries {
				answers <- st.Update(t.Context(), func(tx *store.Tx) error { return tx.PutMessage(drive.Message{ID: "m", Body: big}) })
			}
		}()
	}
	for n := range callers * tries {
		select {
		case err := <-answers:
			if fault.CodeOf(err) != fault.Unavailable {
				t.Fatalf("an update on a full disk = %v, want unavailable", err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("only %d of %d updates were answered", n, callers*tries)
		}
	}
}

func wantKept(t *testing.T, st full, kept map[string]bool) {
	t.Helper()
	err := st.View(t.Context(), func(tx *store.Tx) error {
		found, err := tx.DueMessages(day, 0)
		if err != nil {
			return err
		}
		for _, m := range found {
			if !kept[m.ID] {
				return fmt.Errorf("message %s is there but was refused", m.ID)
			}
		}
		if len(found) != len(kept) {
			return errors.New("an acknowledged message is missing")
		}
		return nil
	})
	if err != nil {
		t.Errorf("%d messages were acknowledged: %v", len(kept), err)
	}
}

// A function that swallows the store's trouble must not have its update kept.
func TestTroubleOfTheStoreFailsTheUpdateEvenWhenIgnored(t *testing.T) {
	st := openStore(t)
	pages, err := st.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.LimitPages(pages); err != nil {
		t.Fatal(err)
	}
	err = st.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SetHome("shop/staging", "r1"); err != nil {
			return err
		}
		_ = tx.PutMessage(drive.Message{ID: "big", Body: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)})
		_ = tx.SetHome("shop/staging", "r2")
		return nil
	})
	wantFault(t, err, fault.Unavailable, "full")
	err = st.View(t.Context(), func(tx *store.Tx) error {
		home, err := tx.Home("shop/staging")
		if home != "" {
			t.Errorf("half of the update is there: home %q", home)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
