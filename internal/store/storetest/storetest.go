// Package storetest is the suite that every store must pass, whatever it is made
// of. It sees a store only through the interfaces of those who use it.
//
//	func TestSQLite(t *testing.T) { storetest.Run(t, open) }
package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

// Store is one open store by its three faces.
type Store struct {
	Drive   drive.Store
	Release release.Store
	Auth    auth.Store
	// Reopen closes the store and opens it again, as a restart of the server does.
	Reopen func(t testing.TB) Store
}

// Run runs the suite. open returns an empty store each time, and closes it when the test ends.
func Run(t *testing.T, open func(t testing.TB) Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s Store)
	}{
		{"a failed update leaves nothing", failedUpdateLeavesNothing},
		{"an update of which a part is refused leaves nothing", refusedPartLeavesNothing},
		{"a panic in an update leaves nothing and breaks nobody", panicLeavesNothing},
		{"an update that ends its goroutine breaks nobody", exitLeavesNothing},
		{"a cancelled update does not begin", cancelledUpdate},
		{"a view is a snapshot", viewIsASnapshot},
		{"a view cannot write", viewCannotWrite},
		{"a transaction ends with its function", transactionEnds},
		{"concurrent updates lose nothing", concurrentUpdates},
		{"what was stored is there after a restart", survivesRestart},

		{"a run comes back as it was saved", runRoundTrip},
		{"a missing run is not found", missingRun},
		{"a run knows its plan and evidence", runHasPlanAndEvidence},
		{"due runs come oldest first", dueRuns},
		{"runs wait on a digest until they are final", waitingOn},
		{"runs are unfinished until they have ended", unfinished},

		{"a release comes back as it was added", releaseRoundTrip},
		{"a release is added once", releaseOnce},
		{"releases are listed newest first by filter", listReleases},
		{"a release of several services is found by each", together},
		{"the newest release that is neither a drill nor brings one back", newestOrdinary},
		{"a release of several services has evidence about each", evidenceTogether},
		{"a service learns from its own past, alone or with others", earlyTogether},
		{"an idempotency key is remembered per actor", idempotency},

		{"a task comes back as it was put", taskRoundTrip},
		{"an update sees the tasks that it changed", tasksInOneUpdate},
		{"tasks are leasable when free and due", leasableTasks},
		{"urgent tasks are leasable first", urgentTasks},
		{"tasks are found by their holder", heldTasks},
		{"leases are renewed by the tasks' IDs", renewedTasks},
		{"fences grow for ever", fencesGrow},
		{"a chore is one caller's until it is due again", chores},
		{"what a chore has found is known to all", choresDone},
		{"chores move back with a clock that was ahead", choresMoved},

		{"a lane keeps its order", laneOrder},
		{"a lane has one holder", laneHolder},
		{"lanes behave as lists", lanesBehaveAsLists},
		{"freezes last until they are ended", freezes},
		{"homes belong to releases", homes},
		{"the last look for drift is kept", drifts},
		{"the last sign of life is kept", signs},

		{"events come back as they were written", eventRoundTrip},
		{"a line is written once", eventOnce},
		{"recent events go over all releases", recentEvents},
		{"evidence comes oldest first", evidence},
		{"messages wait until they are due", outbox},
		{"messages are counted", countMessages},
		{"what goes on is counted", counts},
		{"points come back as they were judged", pointRoundTrip},
		{"points are read in pages", pointPages},
		{"earlier releases that went well are looked up", earlyPoints},
		{"what is old is found and removed in batches", pastReleases},
		{"of an old history one line stays", retention},

		{"users are kept by name", users},
		{"tokens are found by hash until they are revoked", tokens},
		{"sessions end", sessions},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var day = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func at(seconds int) time.Time { return day.Add(time.Duration(seconds) * time.Second) }

func (s Store) update(t testing.TB, f func(tx release.Tx) error) {
	t.Helper()
	if err := s.Release.Update(t.Context(), f); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func (s Store) view(t testing.TB, f func(tx release.Tx) error) {
	t.Helper()
	if err := s.Release.View(t.Context(), f); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// get returns what f reads in a view.
func get[T any](t testing.TB, s Store, f func(tx release.Tx) (T, error)) (v T) {
	t.Helper()
	s.view(t, func(tx release.Tx) (err error) {
		v, err = f(tx)
		return err
	})
	return v
}

// addRelease adds the release of the service with a pending run.
func (s Store) addRelease(t testing.TB, id, service string) {
	t.Helper()
	s.update(t, func(tx release.Tx) error { return add(tx, id, service) })
}

func add(tx release.Tx, id, service string) error {
	p := Plan(service)
	r := release.Release{ID: id, Service: service, Artifact: p.Component.Artifact, Digest: p.Component.Digest, Author: "ann", CreatedAt: day}
	return tx.AddRelease(r, p, pipeline.NewRun(p, "ann", day))
}

// line returns the next line of a chain.
func line(t testing.TB, head *ledger.Head, id string, text string) []ledger.Event {
	t.Helper()
	lines, next, err := ledger.Append(*head, ledger.Event{Release: id, At: day, Kind: "stage.passed", Actor: "fairway", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	*head = next
	return lines
}

func wantCode(t testing.TB, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: error %v (%q), want %q", what, err, fault.CodeOf(err), code)
	}
}

// equal compares and takes an empty list for a missing one.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func joined(lists ...[]string) string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return strings.Join(all, " ")
}
