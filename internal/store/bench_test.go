package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
)

const callers = 100

// BenchmarkTransition measures what drive does at each step of a release: load
// the run, append to its chain, save it with a wake-up, and put or delete a task,
// acknowledged after an fsync, with 100 releases at once.
func BenchmarkTransition(b *testing.B) {
	st := openStore(b)
	ctx := b.Context()
	for i := range callers {
		addRelease(b, st, fmt.Sprintf("r%03d", i))
	}
	run(b, func(caller, step int) error {
		return st.Update(ctx, func(tx *store.Tx) error { return transition(tx, fmt.Sprintf("r%03d", caller), step) })
	})
}

// BenchmarkRawCommit is what the machine gives: one small row per update.
func BenchmarkRawCommit(b *testing.B) {
	st := openStore(b)
	ctx := b.Context()
	run(b, func(caller, step int) error {
		return st.Update(ctx, func(tx *store.Tx) error {
			return tx.PutMessage(drive.Message{ID: fmt.Sprintf("%d-%d", caller, step)})
		})
	})
}

// run shares b.N steps among the callers and reports steps per second.
func run(b *testing.B, step func(caller, step int) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	failed := make(chan error, callers)
	b.ResetTimer()
	for caller := range callers {
		go func() {
			var err error
			for n := 0; err == nil && left.Add(-1) >= 0; n++ {
				err = step(caller, n)
			}
			failed <- err
		}()
	}
	for range callers {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

func transition(tx *store.Tx, id string, step int) error {
	r, err := tx.LoadRun(id)
	if err != nil {
		return err
	}
	now := time.Unix(1_800_000_000, int64(step))
	events := []ledger.Event{{Release: id, At: now, Kind: "stage.passed", Actor: "worker one", Environment: "staging",
		Stage: "check", Text: "check passed: all 3 requests were answered as expected"}}
	if step%2 == 0 {
		events = append(events, ledger.Event{Release: id, At: now, Kind: "stage.started", Actor: "fairway",
			Environment: "staging", Stage: "canary", Text: "canary began", Data: []byte(`{"weight":0.05}`)})
	}
	lines, head, err := ledger.Append(ledger.Head{Seq: r.Seq, Hash: r.Hash}, events...)
	if err != nil {
		return err
	}
	if err := tx.AppendEvents(lines); err != nil {
		return err
	}
	r.Run.State = pipeline.RunRunning
	r.Run.Environments[0].Stage = step % len(r.Run.Environments[0].Stages)
	r.Seq, r.Hash = head.Seq, head.Hash
	if err := tx.SaveRun(r, now.Add(time.Minute)); err != nil {
		return err
	}
	if step%2 == 0 {
		return tx.PutTask(drive.TaskRow{ID: id, Release: id, Service: "shop", Entry: "staging", Environment: "staging", Stage: "canary",
			State: []byte(`{"level":1}`), NotBefore: now})
	}
	return tx.DeleteTask(id, "staging")
}

func openStore(t testing.TB) *store.SQLite {
	t.Helper()
	return openAt(t, t.TempDir()+"/fairway.db")
}

func openAt(t testing.TB, path string) *store.SQLite {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func addRelease(t testing.TB, st *store.SQLite, id string) {
	t.Helper()
	err := st.Update(context.Background(), func(tx *store.Tx) error {
		p := storetest.Plan("shop")
		return tx.AddRelease(release.Release{ID: id, Service: "shop", Digest: p.Component.Digest}, p,
			pipeline.NewRun(p, "ann", time.Unix(1_800_000_000, 0)))
	})
	if err != nil {
		t.Fatal(err)
	}
}
