package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// crossing is a database on which transactions meet that might lock each other out. PostgreSQL
// notices at once, and counts it.
type crossing struct {
	*postgres.Server
	name, url string
	servers   []*store.Postgres
}

func newCrossing(t *testing.T) *crossing {
	server := postgres.ForTest(t, "fsync=off", "deadlock_timeout=5ms")
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

// wantNone closes the servers, so that all that PostgreSQL has counted is written down.
func (c *crossing) wantNone(t *testing.T) {
	t.Helper()
	for _, st := range c.servers {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	admin := c.URL("postgres")
	waitFor(t, "the end of all connections", func() bool {
		var n int
		err := c.Scan(t.Context(), admin, &n, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", c.name)
		return err == nil && n == 0
	})
	var deadlocks int
	if err := c.Scan(t.Context(), admin, &deadlocks, "SELECT deadlocks FROM pg_stat_database WHERE datname = $1", c.name); err != nil || deadlocks != 0 {
		t.Errorf("PostgreSQL has ended %d transactions that had locked each other out, %v", deadlocks, err)
	}
}

// reached sends what a transaction has kept back.
func reached(tx drive.Tx) error {
	_, err := tx.Unfinished()
	return err
}

func TestATurnThatIsMadeLocksNobodyOut(t *testing.T) {
	c := newCrossing(t)
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
	c := newCrossing(t)
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
