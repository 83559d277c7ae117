package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// Of several servers that ask at the same time, one does what is due.
func TestPeriodicWorkIsDoneByOneOfSeveralServers(t *testing.T) {
	url, err := postgres.ForTest(t, "fsync=off").Create("fairway")
	if err != nil {
		t.Fatal(err)
	}
	const servers, rounds = 2, 10
	rotas, began := make([]rota, servers), time.Now()
	var passed atomic.Int64 // the same time on all servers
	for i := range rotas {
		st, err := store.OpenPostgres(t.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		rotas[i] = rota{st.Drive(), func() time.Time { return began.Add(time.Duration(passed.Load())) }}
	}
	for round := range rounds {
		var done atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for _, r := range rotas {
			for range 3 {
				all.Go(func() {
					<-start
					err := r.once(t.Context(), "work", time.Hour, time.Minute, func(context.Context) error { done.Add(1); return nil })
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		close(start)
		all.Wait()
		if n := done.Load(); n != 1 {
			t.Errorf("in round %d the work was done by %d", round, n)
		}
		passed.Add(int64(time.Hour))
	}
}

// rotaHere is a rota on a store of its own, by the system's clock.
func rotaHere(t *testing.T) rota {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return rota{st.Drive(), time.Now}
}

func TestWorkThatTakesLongerThanItsTurnIsNotBegunByAnotherServer(t *testing.T) {
	const every, patience = 100 * time.Millisecond, time.Second
	r := rotaHere(t)
	tries := 0
	err := r.once(t.Context(), "work", every, patience, func(ctx context.Context) error {
		for end := time.Now().Add(3 * patience); time.Now().Before(end) && ctx.Err() == nil; tries++ {
			err := r.once(t.Context(), "work", every, patience, func(context.Context) error {
				t.Fatal("another server has begun it too")
				return nil
			})
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil || tries == 0 {
		t.Errorf("after %d tries of others: %v", tries, err)
	}
}

func TestWorkThatIsBrokenOffAsAServerStopsIsAnothersAtOnce(t *testing.T) {
	r := rotaHere(t)
	ctx, stop := context.WithCancel(t.Context())
	_ = r.once(ctx, "work", time.Hour, time.Hour, func(ctx context.Context) error {
		stop()
		return ctx.Err()
	})
	again := false
	if err := r.once(t.Context(), "work", time.Hour, time.Hour, func(context.Context) error { again = true; return nil }); err != nil || !again {
		t.Errorf("the next server does it: %v, %v", again, err)
	}
}

func TestAServerThatHasLostItsClaimStops(t *testing.T) {
	r := rotaHere(t)
	err := r.once(t.Context(), "work", time.Hour, 100*time.Millisecond, func(ctx context.Context) error {
		if mine, err := r.claimAt(ctx, "work", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)); err != nil || !mine {
			t.Errorf("another server's claim: %v, %v", mine, err)
		}
		<-ctx.Done()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, due, err := r.look(t.Context(), "work"); due || err != nil {
		t.Errorf("the other server's claim is gone: %v, %v", due, err)
	}
}
