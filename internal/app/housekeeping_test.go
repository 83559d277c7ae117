package app

import (
	"context"
	"database/sql"
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
	h := newHousekeeping(control, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	if err := h.verify(t.Context()); err != nil || h.broken.Load() != 0 || log.Len() > 0 {
		t.Fatalf("a whole ledger: %v, %d broken, %s", err, h.broken.Load(), log.String())
	}

	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE events SET text = 'all is very well' WHERE release LIKE '%2'`); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := h.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.broken.Load() != 1 || h.verified.Load() != now.Unix() || !strings.Contains(log.String(), "01m8kp00000000000000000002") {
		t.Errorf("%d are broken, looked at %d; the log says: %s", h.broken.Load(), h.verified.Load(), log.String())
	}
}

func TestNothingToDoNeedsNobody(t *testing.T) {
	h := newHousekeeping(nil, slog.New(slog.DiscardHandler), time.Now)
	h.run(context.Background(), 0, release.Retention{}, nil) // it would wait for ever otherwise
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
