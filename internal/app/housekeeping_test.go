package app

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
)

func TestAChangedHistoryIsFoundAndTold(t *testing.T) {
	database := filepath.Join(t.TempDir(), "fairway.db")
	st, err := store.Open(t.Context(), store.Config{Path: database})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	plan := storetest.Plan("shop")
	err = st.Release().Update(t.Context(), func(tx release.Tx) error {
		for _, id := range []string{"01m8kp00000000000000000001", "01m8kp00000000000000000002"} {
			if err := tx.AddRelease(release.Release{ID: id, Service: "shop"}, plan, pipeline.NewRun(plan, "ann", time.Now())); err != nil {
				return err
			}
			lines, head, err := ledger.Append(ledger.Head{}, ledger.Event{Release: id, At: time.Now(), Kind: "note", Text: "all is well"})
			if err != nil {
				return err
			}
			rec, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			rec.Seq, rec.Hash = head.Seq, head.Hash
			if err := tx.AppendEvents(lines); err != nil {
				return err
			}
			if err := tx.SaveRun(rec, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	now := time.Now()
	control := release.New(release.Config{Store: st.Release(), Drive: drive.New(drive.Config{Store: st.Drive()})})
	server := func() *housekeeping {
		return newHousekeeping(control, slog.New(slog.NewTextHandler(&log, nil)), rota{st.Drive(), func() time.Time { return now }})
	}
	look := func(h *housekeeping, do bool) {
		t.Helper()
		h.see(t.Context(), look{work: verifyWork, every: 24 * time.Hour, do: h.verify, known: h.known}, do)
	}
	shows := func(h *housekeeping, broken int64, verified time.Time) {
		t.Helper()
		if h.broken.Load() != broken || h.verified.Load() != max(verified.Unix(), 0) {
			t.Errorf("a server shows %d broken chains, looked at %d; want %d, at %d; the log says: %s",
				h.broken.Load(), h.verified.Load(), broken, verified.Unix(), log.String())
		}
	}
	one, other := server(), server()
	shows(one, 0, time.Time{}) // nobody has looked yet, and a start is no look
	look(one, true)
	shows(one, 0, now)
	if log.Len() > 0 {
		t.Fatalf("a whole ledger: %s", log.String())
	}

	change := func(text string) {
		t.Helper()
		db, err := sql.Open("sqlite", database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(`UPDATE events SET text = $1 WHERE release LIKE '%2'`, text); err != nil {
			t.Fatal(err)
		}
	}
	change("all is very well")
	first := now
	now = now.Add(23 * time.Hour)
	look(other, true) // not due yet, but it learns what the first has found
	shows(other, 0, first)
	now = now.Add(time.Hour)
	look(other, true)
	shows(other, 1, now)
	if !strings.Contains(log.String(), "01m8kp00000000000000000002") {
		t.Errorf("the log does not name the release: %s", log.String())
	}
	look(one, false)
	shows(one, 1, now)

	// It is mended: no server goes on to show what it has seen itself, and a start forgets nothing.
	change("all is well")
	now = now.Add(24 * time.Hour)
	look(one, true)
	look(other, false)
	shows(other, 0, now)
	mended := now
	now = now.Add(time.Hour)
	started := server()
	look(started, false)
	shows(started, 0, mended)
}

func TestWhatDidNotComeToItsEndIsSoonTriedAgain(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now, tries, fails := time.Now(), 0, true
	h := newHousekeeping(nil, slog.New(slog.DiscardHandler), rota{st.Drive(), func() time.Time { return now }})
	l := look{work: "sweep", every: 24 * time.Hour, known: func(drive.Chore) {}, do: func(context.Context) (int64, error) {
		if tries++; fails {
			return 0, errors.New("the database is away")
		}
		return 0, nil
	}}
	for i, step := range []struct {
		after time.Duration
		fails bool
		tries int
	}{
		{0, true, 1}, {lookAgain - time.Minute, true, 1}, {time.Minute, true, 2}, {lookAgain, false, 3},
		{lookAgain, false, 3}, {23 * time.Hour, false, 4},
	} {
		now, fails = now.Add(step.after), step.fails
		if h.see(t.Context(), l, true); tries != step.tries {
			t.Errorf("step %d: it was tried %d times, want %d", i, tries, step.tries)
		}
	}
}

func TestWithNothingToDoTheServerEndsAsToldTo(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	newHousekeeping(nil, slog.New(slog.DiscardHandler), rota{st.Drive(), time.Now}).run(ctx, 0, release.Retention{})
}

func TestAPeriodMayBeGivenInDays(t *testing.T) {
	var d time.Duration
	p := period{&d}
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "36h": 36 * time.Hour, "0s": 0} {
		if err := p.Set(text); err != nil || d != want {
			t.Errorf("%s is %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"2y", "-1h", "soon", ""} {
		if err := p.Set(text); err == nil {
			t.Errorf("%q was taken for %s", text, d)
		}
	}
}
