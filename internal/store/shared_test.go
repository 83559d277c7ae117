package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/postgres"
)

// addReleaseOf adds a release of the service.
func addReleaseOf(t testing.TB, st store.Store, id, service string) {
	t.Helper()
	p := storetest.Plan(service)
	err := st.Release().Update(t.Context(), func(tx release.Tx) error {
		r := release.Release{ID: id, Service: service, Artifact: p.Component.Artifact, Digest: p.Component.Digest, CreatedAt: day}
		return tx.AddRelease(r, p, pipeline.NewRun(p, "ann", day))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addLine adds one line to the release's chain, as every transition does.
func addLine(ctx context.Context, st store.Store, id, text string) error {
	return st.Drive().Update(ctx, func(tx drive.Tx) error {
		r, err := tx.LoadRun(id)
		if err != nil {
			return err
		}
		lines, head, err := ledger.Append(ledger.Head{Seq: r.Seq, Hash: r.Hash}, ledger.Event{Release: id, At: day, Kind: "k", Text: text})
		if err != nil {
			return err
		}
		if err := tx.AppendEvents(lines); err != nil {
			return err
		}
		r.Seq, r.Hash = head.Seq, head.Hash
		return tx.SaveRun(r, day)
	})
}

func chain(t testing.TB, st store.Store, id string) (lines []ledger.Event) {
	t.Helper()
	err := st.Release().View(t.Context(), func(tx release.Tx) error {
		r, err := tx.LoadRun(id)
		if err != nil {
			return err
		}
		if lines, err = tx.LoadEvents(id, 0, 0); err != nil {
			return err
		}
		return ledger.VerifyTo(lines, ledger.Head{Seq: r.Seq, Hash: r.Hash})
	})
	if err != nil {
		t.Errorf("the chain of %s: %v", id, err)
	}
	return lines
}

func TestTwoServersChangeTheSameReleasesAndLoseNothing(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	servers := []*store.Postgres{openPostgres(t, url), openPostgres(t, url)}
	const releases, callers, steps = 4, 6, 15
	for i := range releases {
		addReleaseOf(t, servers[0], fmt.Sprint("r", i), fmt.Sprint("service", i%2))
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := range steps {
				id := fmt.Sprint("r", rand.IntN(releases))
				if err := addLine(t.Context(), servers[i%2], id, fmt.Sprint(i, "/", n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	said := map[string]int{}
	for i := range releases {
		for _, l := range chain(t, servers[0], fmt.Sprint("r", i)) {
			said[l.Text]++
		}
	}
	for i := range callers {
		for n := range steps {
			if text := fmt.Sprint(i, "/", n); said[text] != 1 {
				t.Errorf("%s was written %d times", text, said[text])
			}
		}
	}
}

// A reader that remembers the last number must miss no line, in whatever order the
// transactions end that took their numbers.
func TestAReaderOfAllLinesMissesNone(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	st := openPostgres(t, url)
	const writers, steps = 6, 25
	for i := range writers {
		addReleaseOf(t, st, fmt.Sprint("r", i), fmt.Sprint("service", i))
	}
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for n := range steps {
				if err := addLine(t.Context(), st, fmt.Sprint("r", i), fmt.Sprint(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var over atomic.Bool
	go func() { writing.Wait(); over.Store(true) }()
	seen, after := map[string]int64{}, int64(0)
	for last := false; !last; {
		last = over.Load()
		err := st.Release().View(t.Context(), func(tx release.Tx) error {
			for {
				lines, number, err := tx.RecentEvents(after, 7)
				if err != nil || len(lines) == 0 {
					return err
				}
				after = number
				for _, l := range lines {
					if l.Seq != seen[l.Release]+1 {
						t.Errorf("line %d of %s comes after line %d", l.Seq, l.Release, seen[l.Release])
					}
					seen[l.Release] = l.Seq
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range writers {
		if id := fmt.Sprint("r", i); seen[id] != steps {
			t.Errorf("of the %d lines of %s the reader saw %d", steps, id, seen[id])
		}
	}
}

// Every acknowledged update is there, and none is there twice, however often
// PostgreSQL is killed in the middle.
func TestAKilledPostgreSQLLosesNothingAndDoesNothingTwice(t *testing.T) {
	server := postgres.ForTest(t)
	_, url := database(t, server)
	st := openPostgres(t, url)
	const writers = 4
	for i := range writers {
		addReleaseOf(t, st, fmt.Sprint("r", i), fmt.Sprint("service", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	acknowledged := make([][]string, writers)
	tried := make([]int, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for ; ctx.Err() == nil; tried[i]++ {
				text := fmt.Sprint(tried[i])
				switch err := addLine(t.Context(), st, fmt.Sprint("r", i), text); {
				case err == nil:
					acknowledged[i] = append(acknowledged[i], text)
				case fault.CodeOf(err) != fault.Unavailable:
					t.Errorf("while PostgreSQL was away: %v (%s), want unavailable", err, fault.CodeOf(err))
				}
			}
		})
	}
	for range 4 {
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond) // a random moment of the work
		if err := errors.Join(server.Kill(), server.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "an update after the last restart", func() bool { return addLine(t.Context(), st, "r0", "end") == nil })
	stop()
	all.Wait()
	for i := range writers {
		there := map[string]int{}
		for _, l := range chain(t, st, fmt.Sprint("r", i)) {
			if there[l.Text]++; there[l.Text] > 1 {
				t.Errorf("%s of r%d is there twice", l.Text, i)
			}
		}
		for _, text := range acknowledged[i] {
			if there[text] == 0 {
				t.Errorf("%s of r%d was acknowledged and is lost", text, i)
			}
		}
		if len(acknowledged[i]) == 0 {
			t.Errorf("writer %d achieved nothing", i)
		}
	}
}

// waitFor asks again and again until it is so.
func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func TestTheFirstServerOnADatabaseMakesUpForTheTimeWithoutOne(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	var alone [2]atomic.Int32
	join := func(i int) (st *store.Postgres, leave func()) {
		st = openPostgres(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		if err := st.Join(ctx, func(context.Context) error { alone[i].Add(1); return nil }); err != nil {
			t.Fatal(err)
		}
		return st, func() { cancel(); _ = st.Close() }
	}
	first, leaveFirst := join(0)
	_, leaveSecond := join(1)
	if alone[0].Load() != 1 || alone[1].Load() != 0 {
		t.Errorf("alone were %d and %d, want 1 and 0", alone[0].Load(), alone[1].Load())
	}
	leaveSecond()
	join(1)
	if alone[1].Load() != 0 {
		t.Error("a server that came back beside another one took itself for the only one")
	}
	// After a restart of PostgreSQL one of the two makes up for it.
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "one that was alone", func() bool { return alone[0].Load()+alone[1].Load() == 2 })
	leaveFirst()
	if _, err := first.Ahead(t.Context()); err == nil {
		t.Error("a closed store still answers")
	}
}

func TestServersHearOfEachOthersCommits(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	_, url := database(t, server)
	one, two := openPostgres(t, url), openPostgres(t, url)
	for _, st := range []*store.Postgres{one, two} {
		if err := st.Join(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for quiet := false; !quiet; { // the second one rang when it opened the database
		select {
		case <-one.Rung():
		case <-time.After(500 * time.Millisecond):
			quiet = true
		}
	}
	addReleaseOf(t, one, "r1", "shop")
	select {
	case <-two.Rung():
	case <-time.After(20 * time.Second):
		t.Fatal("the other server did not hear")
	}
	select {
	case <-one.Rung():
		t.Error("a server hears itself")
	default:
	}
	two.Freed()
	put := func(st *store.Postgres, entry, region, holder string) error {
		return st.Drive().Update(t.Context(), func(tx drive.Tx) error {
			return tx.PutTask(drive.TaskRow{ID: entry, Release: "r1", Entry: entry, Environment: "production", Region: region, Holder: holder, Undo: true})
		})
	}
	if err := errors.Join(put(one, "production/us", "us", "w1"), put(one, "production/eu", "eu", "")); err != nil {
		t.Fatal(err)
	}
	var free []drive.Place
	waitFor(t, "word of a free task", func() bool {
		free = append(free, two.Freed()...)
		return len(free) > 0
	})
	if want := (drive.Place{Environment: "production", Region: "eu", Urgent: true}); len(free) != 1 || free[0] != want {
		t.Errorf("free tasks were told in %v, want %v", free, want)
	}
	// A lost connection costs nothing but time, and then tasks may be free anywhere.
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	heard := false
	waitFor(t, "a ring after the restart", func() bool {
		_ = put(two, "production/us", "us", "w1")
		select {
		case <-one.Rung():
			heard = true
		default:
		}
		return heard
	})
	if free := one.Freed(); !slices.Contains(free, drive.Anywhere) {
		t.Errorf("after the restart tasks are free in %v", free)
	}
}

// Leases are renewed beside transactions that have the turn, never behind them.
func TestRenewingLeasesWaitsForNobody(t *testing.T) {
	_, url := database(t, postgres.ForTest(t, "fsync=off"))
	one, two := openPostgres(t, url), openPostgres(t, url)
	row := drive.TaskRow{ID: "t1", Release: "r1", Entry: "production", Environment: "production", Service: "shop", Holder: "w1", Fence: 1, LeaseUntil: day}
	other := row
	other.ID, other.Entry, other.Environment = "t2", "staging", "staging"
	addReleaseOf(t, one, "r1", "shop")
	update := func(st *store.Postgres, f func(tx drive.Tx) error) error { return st.Drive().Update(t.Context(), f) }
	if err := update(one, func(tx drive.Tx) error { return errors.Join(tx.PutTask(row), tx.PutTask(other)) }); err != nil {
		t.Fatal(err)
	}
	renew := func() error {
		return update(two, func(tx drive.Tx) error { return tx.Renew([]string{"t1", "t2"}, "w1", day.Add(time.Minute)) })
	}
	err := update(one, func(tx drive.Tx) error {
		mine, err := tx.LoadTask("r1", "production")
		if err != nil {
			return err
		}
		mine.Holder, mine.LeaseUntil = "", day.Add(time.Second) // the worker leaves it
		if err := tx.PutTask(mine); err != nil {
			return err
		}
		if _, err := tx.LoadTask("r1", "production"); err != nil { // what was to be written is
			return err
		}
		return renew()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := renew(); err != nil { // too late for the one that was left
		t.Fatal(err)
	}
	for entry, want := range map[string]time.Time{"production": day.Add(time.Second), "staging": day.Add(time.Minute)} {
		err := one.Drive().View(t.Context(), func(tx drive.Tx) error {
			got, err := tx.LoadTask("r1", entry)
			if err == nil && !got.LeaseUntil.Equal(want) {
				t.Errorf("the lease in %s ends at %v, want %v", entry, got.LeaseUntil, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Nobody waits for a turn while holding one: the database would have to notice, which it does
// not here in the time that an update has.
func TestTwoThatNeedEachOthersTurnsBothGoOn(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off", "deadlock_timeout=1min")
	_, url := database(t, server)
	servers := []*store.Postgres{openPostgres(t, url), openPostgres(t, url)}
	for i, service := range []string{"shop", "till"} {
		addReleaseOf(t, servers[0], fmt.Sprint("r", i), service)
	}
	var both, ended sync.WaitGroup
	both.Add(2)
	for i, st := range servers {
		ended.Go(func() {
			var once sync.Once
			err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
				for _, id := range []string{fmt.Sprint("r", i), fmt.Sprint("r", 1-i)} {
					if _, err := tx.LoadRun(id); err != nil {
						return err
					}
					once.Do(func() { both.Done(); both.Wait() }) // each has its first
				}
				return nil
			})
			if err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		})
	}
	ended.Wait()
}
