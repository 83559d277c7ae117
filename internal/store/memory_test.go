package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
)

// memoryDatabase makes the test binary a process that only uses the database, to measure its memory.
const (
	memoryDatabase = "FAIRWAY_TEST_MEMORY_DATABASE"
	memoryReleases = "FAIRWAY_TEST_MEMORY_RELEASES"
)

// useOnce opens the database, moves every release once and lists the due ones, and prints its resident memory in KiB.
func useOnce(path string) error {
	releases, err := strconv.Atoi(os.Getenv(memoryReleases))
	if err != nil {
		return err
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{Path: path})
	if err != nil {
		return err
	}
	for i := range releases {
		err := st.Update(ctx, func(tx *store.Tx) error {
			r, err := tx.LoadRun(waitingID(i))
			if err != nil {
				return err
			}
			return tx.SaveRun(r, day.Add(time.Duration(i)*time.Second))
		})
		if err != nil {
			return err
		}
	}
	err = st.View(ctx, func(tx *store.Tx) error {
		_, err := tx.DueRuns(day.Add(time.Hour), 100)
		return err
	})
	if err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS:") {
			fmt.Print(strings.Fields(line)[1])
		}
	}
	return st.Close()
}

const waitingReleases = 5000

func waitingID(i int) string { return fmt.Sprintf("r%04d", i) }

func TestWaitingReleasesTakeNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("resident memory is read from /proc, which is not here")
	}
	path := filepath.Join(t.TempDir(), "fairway.db")
	empty := residentKiB(t, path, 0)
	full := residentKiB(t, path, waitingReleases)
	t.Logf("resident: %d KiB with no release, %d KiB with %d that were all used once", empty, full, waitingReleases)
	if full > 48<<10 || full > empty+24<<10 {
		t.Errorf("%d waiting releases take %d KiB, beyond the %d KiB of an empty store", waitingReleases, full-empty, empty)
	}
}

// residentKiB adds so many releases, each with a plan of its own, and measures a process that uses them.
func residentKiB(t *testing.T, path string, releases int) int {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(t.Context(), func(tx *store.Tx) error {
		for i := range releases {
			p := storetest.Plan(waitingID(i))
			r := release.Release{ID: waitingID(i), Service: p.Service, Digest: p.Component.Digest}
			if err := tx.AddRelease(r, p, pipeline.NewRun(p, "ann", day)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), memoryDatabase+"="+path, memoryReleases+"="+strconv.Itoa(releases))
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		t.Fatalf("the measured process: %v", err)
	}
	n, err := strconv.Atoi(string(out))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFewPlansAreKeptDecoded(t *testing.T) {
	st := openStore(t)
	ctx := t.Context()
	for i := range 2 * store.MaxPlans {
		err := st.Update(ctx, func(tx *store.Tx) error {
			p := storetest.Plan(waitingID(i))
			return tx.AddRelease(release.Release{ID: waitingID(i), Service: p.Service}, p, pipeline.NewRun(p, "ann", day))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for i := range 2 * store.MaxPlans {
			err := st.View(ctx, func(tx *store.Tx) error {
				r, err := tx.LoadRun(waitingID(i))
				if err == nil && r.Run.Plan.Service != waitingID(i) {
					t.Errorf("release %d has the plan of %s", i, r.Run.Plan.Service)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := st.CachedPlans(); n != store.MaxPlans {
		t.Errorf("%d plans are cached, want %d", n, store.MaxPlans)
	}
}
