package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/release"
)

func failedUpdateLeavesNothing(t *testing.T, s Store) {
	no := errors.New("no")
	err := s.Release.Update(t.Context(), func(tx release.Tx) error {
		if err := add(tx, "r1", "shop"); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Errorf("Update = %v, want the function's own error", err)
	}
	if services := get(t, s, release.Tx.Services); len(services) != 0 {
		t.Errorf("a failed update left services %v", services)
	}
}

// A store may hear only at the commit that a statement found no row to change: where the
// function has read something before, and does not look.
func refusedPartLeavesNothing(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	for name, refused := range map[string]struct {
		part func(tx release.Tx) error
		code fault.Code
	}{
		"HoldLane of who did not join": {func(tx release.Tx) error { return tx.HoldLane(lane, "r9") }, fault.NotFound},
		"MoveMessage of none":          {func(tx release.Tx) error { return tx.MoveMessage("none", at(1), at(2)) }, fault.Conflict},
	} {
		err := s.Release.Update(t.Context(), func(tx release.Tx) error {
			if _, err := tx.LoadRun("r1"); err != nil {
				return err
			}
			return errors.Join(tx.JoinLane(lane, "r1", "staging"), refused.part(tx))
		})
		wantCode(t, name, err, refused.code)
		equal(t, "lane after "+name, inLane(t, s), "")
	}
}

func panicLeavesNothing(t *testing.T, s Store) {
	var others sync.WaitGroup
	for i := range 20 {
		others.Go(func() {
			if err := s.Release.Update(t.Context(), func(tx release.Tx) error { return add(tx, fmt.Sprintf("r%02d", i), "shop") }); err != nil {
				t.Errorf("an update beside a panic: %v", err)
			}
		})
	}
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller of Update")
			}
		}()
		_ = s.Release.Update(t.Context(), func(tx release.Tx) error {
			if err := add(tx, "gone", "ghost"); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	others.Wait()
	equal(t, "services", get(t, s, release.Tx.Services), []string{"shop"})
	func() {
		defer func() { _ = recover() }()
		_ = s.Release.View(t.Context(), func(release.Tx) error { panic("boom") })
	}()
	if n := len(get(t, s, func(tx release.Tx) ([]release.Summary, error) { return tx.ListReleases(release.Filter{}) })); n != 20 {
		t.Errorf("%d releases are there, want the 20 of the others", n)
	}
}

func exitLeavesNothing(t *testing.T, s Store) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = s.Release.Update(context.Background(), func(tx release.Tx) error {
			if err := add(tx, "gone", "ghost"); err != nil {
				t.Error(err)
			}
			runtime.Goexit()
			return nil
		})
	}()
	<-gone
	s.addRelease(t, "r1", "shop")
	equal(t, "services", get(t, s, release.Tx.Services), []string{"shop"})
}

func cancelledUpdate(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	f := func(release.Tx) error { ran = true; return nil }
	for name, err := range map[string]error{"Update": s.Release.Update(ctx, f), "View": s.Release.View(ctx, f)} {
		if !errors.Is(err, context.Canceled) || fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%s with a cancelled context = %v, want unavailable, for it was cancelled", name, err)
		}
	}
	if ran {
		t.Error("the function ran in spite of its cancelled context")
	}
}

func viewIsASnapshot(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	s.view(t, func(tx release.Tx) error {
		before, err := tx.Services()
		if err != nil {
			return err
		}
		s.addRelease(t, "r2", "search")
		after, err := tx.Services()
		equal(t, "services in one view", after, before)
		return err
	})
	equal(t, "services in the next view", get(t, s, release.Tx.Services), []string{"search", "shop"})
}

func viewCannotWrite(t *testing.T, s Store) {
	err := s.Release.View(t.Context(), func(tx release.Tx) error { return tx.SetHome("shop/staging", "r1") })
	wantCode(t, "SetHome in a view", err, fault.Internal)
	err = s.Drive.View(t.Context(), func(tx drive.Tx) error {
		_, err := tx.NextFence("shop/staging")
		return err
	})
	wantCode(t, "NextFence in a view", err, fault.Internal)
}

func transactionEnds(t *testing.T, s Store) {
	var kept []release.Tx
	keep := func(tx release.Tx) error { kept = append(kept, tx); return nil }
	s.update(t, keep)
	s.view(t, keep)
	for _, tx := range kept {
		_, err := tx.Services()
		wantCode(t, "Services after the end", err, fault.Internal)
	}
}

// concurrentUpdates has some updates fail, so that groups are mixed.
func concurrentUpdates(t *testing.T, s Store) {
	const callers, steps = 20, 15
	for i := range callers {
		s.addRelease(t, fmt.Sprintf("r%02d", i), "shop")
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { climb(t, s, fmt.Sprintf("r%02d", i), steps) })
	}
	all.Wait()
	for i := range callers {
		id := fmt.Sprintf("r%02d", i)
		s.view(t, func(tx release.Tx) error {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			lines, err := tx.LoadEvents(id, 0, 0)
			if err != nil {
				return err
			}
			if len(lines) != steps {
				t.Errorf("%s has %d lines, want %d", id, len(lines), steps)
			}
			return ledger.VerifyTo(lines, ledger.Head{Seq: r.Seq, Hash: r.Hash})
		})
	}
}

// climb appends one line per step to the chain, each after an update that fails.
func climb(t *testing.T, s Store, id string, steps int) {
	no := errors.New("no")
	for i := range steps {
		for _, verdict := range []error{no, nil} {
			err := s.Drive.Update(t.Context(), func(tx drive.Tx) error {
				r, err := tx.LoadRun(id)
				if err != nil {
					return err
				}
				head := ledger.Head{Seq: r.Seq, Hash: r.Hash}
				if err := tx.AppendEvents(line(t, &head, id, fmt.Sprint(i))); err != nil {
					return err
				}
				r.Seq, r.Hash = head.Seq, head.Hash
				return errors.Join(tx.SaveRun(r, at(i)), verdict)
			})
			if !errors.Is(err, verdict) {
				t.Errorf("step %d of %s: %v, want %v", i, id, err, verdict)
				return
			}
		}
	}
}

func survivesRestart(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	climb(t, s, "r1", 3)
	before := get(t, s, func(tx release.Tx) (drive.Record, error) { return tx.LoadRun("r1") })
	s = s.Reopen(t)
	equal(t, "the run after a restart", get(t, s, func(tx release.Tx) (drive.Record, error) { return tx.LoadRun("r1") }), before)
}
