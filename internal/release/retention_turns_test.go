package release_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
)

// turning is a store that notes which turns its updates take, and in which order.
type turning struct {
	release.Store
	taken *[][]string
}

type turningTx struct {
	release.Tx
	taken *[][]string
}

func (s turning) Update(ctx context.Context, f func(release.Tx) error) error {
	return s.Store.Update(ctx, func(tx release.Tx) error { return f(turningTx{tx, s.taken}) })
}

func (t turningTx) Turn(services ...string) error {
	*t.taken = append(*t.taken, services)
	return t.Tx.Turn(services...)
}

// LoadRun takes the turn of the release's service, which here has its name.
func (t turningTx) LoadRun(id string) (drive.Record, error) {
	*t.taken = append(*t.taken, []string{id})
	return t.Tx.LoadRun(id)
}

// Who takes turns one by one waits for others while they wait for him.
func TestOldHistoriesAreRemovedInTurnsThatAreTakenAtOnce(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	d := drive.New(drive.Config{Store: st.Drive(), Now: clock})
	for _, id := range []string{"cart", "shop", "till"} {
		add(t, st, d, id, now)
		if err := d.Apply(t.Context(), id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ben"}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(48 * time.Hour)
	var taken [][]string
	removed := 0
	control := release.New(release.Config{Store: turning{st.Release(), &taken}, Drive: d, Now: clock})
	err = control.Retain(t.Context(), release.Retention{Events: time.Hour}, func(r release.Removed) { removed += r.Releases })
	if err != nil || removed != 3 {
		t.Fatalf("of three histories %d are removed, %v", removed, err)
	}
	if all := []string{"cart", "shop", "till"}; len(taken) == 0 || !slices.Equal(taken[0], all) {
		t.Errorf("the turns are taken as %v, want %v first", taken, all)
	}
}
