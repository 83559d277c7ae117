package store_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// crossing is a database on which transactions meet that might lock each other out.
type crossing struct {
	*postgres.Server
	name, url string
	servers   []*store.Postgres
}

// PostgreSQL notices at once, and counts it; or it does not notice in the time that an update
// has. It does not count where it helps itself by another order of those that wait.
const (
	notices  = "deadlock_timeout=5ms"
	overlook = "deadlock_timeout=1min"
)

func newCrossing(t *testing.T, deadlocks string) *crossing {
	server := postgres.ForTest(t, "fsync=off", deadlocks)
	c := &crossing{Server: server}
	c.name, c.url = database(t, server)
	c.servers = []*store.Postgres{openPostgres(t, c.url), openPostgres(t, c.url)}
	return c
}

// wait waits until so many transactions wait for a lock.
func (c *crossing) wait(t *testing.T, transactions int) {
	t.Helper()
	waitFor(t, "a transaction that waits", func() bool {
		var n int
		err := c.Scan(t.Context(), c.url, &n, "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
		return err == nil && n >= transactions
	})
}

// wantNone closes the servers and wants that PostgreSQL has counted no deadlock.
func (c *crossing) wantNone(t *testing.T) {
	t.Helper()
	for _, st := range c.servers {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := c.Deadlocks(c.name); n != 0 || err != nil {
		t.Errorf("transactions had locked each other out %d times, %v", n, err)
	}
}

// reached sends what a transaction has kept back.
func reached(tx drive.Tx) error {
	_, err := tx.Unfinished()
	return err
}

func TestATurnThatIsMadeLocksNobodyOut(t *testing.T) {
	c := newCrossing(t, notices)
	addReleaseOf(t, c.servers[0], "r1", "shop")
	var both sync.WaitGroup
	var once sync.Once
	err := c.servers[0].Drive().Update(t.Context(), func(tx drive.Tx) error {
		if err := tx.Turn("shop"); err != nil {
			return err
		}
		if err := reached(tx); err != nil {
			return err
		}
		once.Do(func() {
			both.Go(func() { // makes the turn of till, and waits for that of shop
				err := c.servers[1].Drive().Update(t.Context(), func(tx drive.Tx) error { return tx.Turn("shop", "till") })
				if err != nil {
					t.Error(err)
				}
			})
			c.wait(t, 1)
		})
		return tx.Turn("till")
	})
	if err != nil {
		t.Error(err)
	}
	both.Wait()
	c.wantNone(t)
}

func TestTurnsThatAreMadeInAnyOrderLockNobodyOut(t *testing.T) {
	const rounds, services = 5, 3000
	c := newCrossing(t, notices)
	for round := range rounds {
		halves := [2][]string{}
		for i := range services {
			halves[i*2/services] = append(halves[i*2/services], fmt.Sprintf("r%ds%06d", round, i))
		}
		var first, ended sync.WaitGroup
		first.Add(2)
		for i, st := range c.servers {
			ended.Go(func() {
				var once sync.Once
				err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
					for _, half := range [][]string{halves[i], halves[1-i]} {
						if err := tx.Turn(half...); err != nil {
							return err
						}
						if err := reached(tx); err != nil {
							return err
						}
						once.Do(func() { first.Done(); first.Wait() }) // each has its first half
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
	c.wantNone(t)
}

// Transactions of different services meet in what they share: artifacts, the freezes, and the
// scales of what was measured.
func TestWhatServicesShareLocksNobodyOut(t *testing.T) {
	about := func(digest string) func(drive.Tx) error {
		return func(tx drive.Tx) error {
			return tx.AddEvidence(pipeline.Evidence{ID: rand.Text(), Digest: digest, Kind: "tests", Status: "passed", At: day})
		}
	}
	measured := func(bound float64) func(drive.Tx) error {
		var p stage.Point
		p.Sample.Stable.Latency.Bounds = []float64{bound}
		p.Sample.Stable.Latency.Counts = []int64{1, 1}
		return func(tx drive.Tx) error { return tx.AppendPoints("r1", "production", "canary", []stage.Point{p}) }
	}
	turn := func(tx drive.Tx) error { return tx.Turn("shop") }
	freezes := func(tx drive.Tx) error { _, err := tx.Freezes(); return err }
	for name, way := range map[string]struct {
		first, second func(drive.Tx) error
		// changes says that somebody wants to change the freezes between the two steps.
		changes   bool
		deadlocks string
	}{
		"two artifacts":               {about("a"), about("b"), false, notices},
		"an artifact and a turn":      {about("a"), turn, false, notices},
		"an artifact and the freezes": {about("a"), freezes, true, overlook},
		"two scales":                  {measured(1), measured(2), false, notices},
		"a scale and an artifact":     {measured(1), about("a"), false, notices},
	} {
		t.Run(name, func(t *testing.T) {
			const rounds = 10
			c := newCrossing(t, way.deadlocks)
			addReleaseOf(t, c.servers[0], "r1", "shop")
			for range rounds {
				if !t.Failed() {
					if err := c.Exec(c.name, "TRUNCATE points, scales"); err != nil {
						t.Fatal(err)
					}
					c.cross(t, way.first, way.second, way.changes)
				}
			}
			c.wantNone(t)
		})
	}
}

// cross lets two transactions take two steps from both ends, each its second one when both have
// taken their first.
func (c *crossing) cross(t *testing.T, first, second func(drive.Tx) error, changes bool) {
	t.Helper()
	steps := [2][2]func(drive.Tx) error{{first, second}, {second, first}}
	var met, ended sync.WaitGroup
	met.Add(2)
	change := sync.OnceFunc(func() {
		if !changes {
			return
		}
		ended.Go(func() {
			freeze := drive.Freeze{ID: rand.Text(), Service: "till", Reason: "audit"}
			if err := c.servers[0].Drive().Update(t.Context(), func(tx drive.Tx) error { return tx.AddFreeze(freeze) }); err != nil {
				t.Error(err)
			}
		})
		c.wait(t, 1)
	})
	for i, st := range c.servers {
		ended.Go(func() {
			var once sync.Once
			err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
				if err := errors.Join(steps[i][0](tx), reached(tx)); err != nil {
					return err
				}
				once.Do(func() { met.Done(); met.Wait(); change() })
				return errors.Join(steps[i][1](tx), reached(tx))
			})
			if err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		})
	}
	ended.Wait()
}

// Who cannot have a lock that it asks for last has changed nothing when it begins anew.
func TestWhoBeginsAnewHasCommittedNothing(t *testing.T) {
	c := newCrossing(t, notices)
	fact := func(id string) pipeline.Evidence {
		return pipeline.Evidence{ID: id, Digest: "shared", Kind: "tests", Status: "passed", At: day}
	}
	held, let := make(chan struct{}), make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		err := c.servers[1].Drive().Update(t.Context(), func(tx drive.Tx) error {
			if err := errors.Join(tx.AddEvidence(fact("other")), reached(tx)); err != nil {
				return err
			}
			close(held)
			<-let
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	tries, after := 0, 0
	err := c.servers[0].Drive().Update(t.Context(), func(tx drive.Tx) error {
		if tries++; tries == 2 {
			if err := c.Scan(t.Context(), c.url, &after, "SELECT count(*) FROM evidence"); err != nil {
				return err
			}
			close(let)
		}
		if _, err := tx.Freezes(); err != nil { // so the artifact is asked for too late, and last
			return err
		}
		return tx.AddEvidence(fact("late"))
	})
	if err != nil {
		t.Error(err)
	}
	if tries == 1 {
		close(let)
	}
	other.Wait()
	if tries < 2 || after != 0 {
		t.Errorf("it was tried %d times, and the first had left %d facts", tries, after)
	}
	c.wantNone(t)
}
